"""The helpers' figures, as rows for people and as data for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from statistics import median

from nfmasq.bench import pingpong
from nfmasq.bench.reading import digits
from perf.helpers import LINES, HelperCost
from perf.neighbours import COMPUTING, TITLES, Neighbours

COST = """\
Processor time of the engine, the FTP helper and the core together, from a packet that was set aside to its
verdict; and what a connection holds that is idle after it announced once. Each client logs in first, and gets
its replies."""
DELAY = """\
UDP round trips of one client through the daemon while another one does what is said, interleaved, medians of
the rounds. The ratios are to those beside a program that computes: a processor that sleeps would take its
time to wake up."""

Row = list[str]


def costs(cost: HelperCost) -> Iterator[Row]:
    """A row for each line, and one for the memory."""
    yield ["", ""]
    for name, title in LINES.items():
        yield [title, f"{digits(getattr(cost, name) * 1e6)} µs"]
    each = digits(cost.memory / cost.connections / 1e3)
    yield ["an idle control connection", f"{each} kB, of {cost.connections:,}"]


def delays(found: Neighbours) -> Iterator[Row]:
    """A row for each state: its round trips, and what they are to those while no helper works."""
    yield ["", pingpong.MEDIAN.title, pingpong.P99.title, "median, ratio", "99 %, ratio"]
    for state, title in TITLES.items():
        times = (
            f"{digits(median(found.values(state, each.name)) / each.scale)} {each.unit}"
            for each in pingpong.FIGURES
        )
        yield [title, *times, *(_ratio(found, state, each.name) for each in pingpong.FIGURES)]


def work(found: Neighbours) -> str:
    """What the helpers did meanwhile."""
    return (
        f"The FTP helper rewrote {median(found.rates):.0f} lines a second, at work "
        f"{median(found.shares):.0%} of the time; the one that loops was cut off {found.cut_off} times."
    )


def as_data(found: Neighbours) -> dict[str, object]:
    """All rounds, in seconds."""
    return {
        "rounds": {
            state: {each.name: found.values(state, each.name) for each in pingpong.FIGURES}
            for state in TITLES
        },
        "ratios": [
            {"state": state, "figure": each.name, "against": COMPUTING, **asdict(ratio)}
            for state in TITLES
            for each in pingpong.FIGURES
            if (ratio := found.ratio(state, COMPUTING, each.name)) is not None
        ],
        "lines_per_second": found.rates,
        "engine_share": found.shares,
        "cut_off": found.cut_off,
    }


def _ratio(found: Neighbours, state: str, figure: str) -> str:
    ratio = found.ratio(state, COMPUTING, figure)
    return digits(ratio.value) if ratio and state != COMPUTING else ""
