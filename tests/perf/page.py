"""The report as a page of Markdown, with plots."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nfmasq.bench.reading import digits
from nfmasq.bench.report import machine
from nfmasq.bench.variants import NFMASQ
from nfmasq.core.queue_socket import QUEUES_EACH
from perf import helped, instructions, looking
from perf.comparison import Comparison
from perf.filling import SESSIONS
from perf.markdown import Plots, table
from perf.memory import TableCost
from perf.outcome import Outcome
from perf.plots import lines
from perf.sections import COMPARED, METHOD, SECTIONS
from perf.targets import judge
from perf.text import extremes
from perf.variants import MILLION, WORKERS

LARGE = 100_000
"""In smaller tables a session's share says more about the memory's granularity than about sessions."""


def write(outcome: Outcome, file: Path) -> None:
    """Write the page, and its plots into a directory that is named like it, without the suffix."""
    plots = Plots(file.stem)
    text = "\n".join(_page(outcome, plots))
    file.with_suffix("").mkdir(exist_ok=True)
    for path, plot in plots.files.items():
        (file.parent / path).write_text(plot, encoding="utf-8")
    file.write_text(text, encoding="utf-8")


def _page(outcome: Outcome, plots: Plots) -> Iterator[str]:
    yield from ("# Performance", "")
    yield from (
        "Written by `python -m perf --report` in `tests/`: the figures of one machine and one run.",
        "",
    )
    yield from _method(outcome)
    yield from _targets(outcome)
    yield from _comparisons(outcome, Comparison(outcome.results, plots))
    yield from _core(outcome, plots)
    yield from _instructions(outcome)
    yield from _helpers(outcome)
    yield from _looking(outcome)
    notes = [*outcome.results.notes(), *outcome.notes]
    if notes:
        yield from ("## Notes", "", *(f"- {note}" for note in notes), "")


def _method(outcome: Outcome) -> Iterator[str]:
    plan, results = outcome.plan, outcome.results
    about = {
        **{name: str(value) for name, value in machine().items() if name != "memory_bytes"},
        "rounds": str(plan.rounds),
        "seconds a measurement": digits(plan.seconds),
        "workers": f"{plan.workers}, where nothing else is said",
        "senders of small packets": str(plan.senders),
    }
    yield from ("## Method", "", METHOD, "")
    yield from table([["", ""], *([name, value] for name, value in about.items())])
    if results.variants:
        ways = ([variant.title, variant.about] for variant in results.variants)
        yield from table([["way", "what the router does"], *ways])


def _targets(outcome: Outcome) -> Iterator[str]:
    rows = [
        [
            judgement.title,
            digits(judgement.value),
            f"{'≥' if judgement.more_is_better else '≤'} {judgement.bound:.3g}",
            f"{digits(judgement.ratio.lowest)} to {digits(judgement.ratio.highest)}"
            if judgement.ratio
            else "",
            judgement.mark if judgement.reached else f"**{judgement.mark}**",
        ]
        for judgement in judge(outcome)
    ]
    if rows:
        yield from ("## Targets", "")
        yield from table([["", "measured", "target", "rounds", ""], *rows])


def _comparisons(outcome: Outcome, comparison: Comparison) -> Iterator[str]:
    results = outcome.results
    for section in SECTIONS:
        figures = [figure for figure in section.figures if figure in results.figures]
        if figures:
            yield from (f"## {section.title}", "", section.about, "")
            yield from comparison.by_variant(figures, [each for each in COMPARED if each in results.variants])
    if {MILLION, NFMASQ} <= set(results.variants):
        yield from ("## With a million sessions in the table", "")
        yield from (f"The same traffic, with {SESSIONS:,} sessions of other hosts in the table.", "")
        yield from comparison.by_figure(NFMASQ, [MILLION])
    workers = [variant for variant in WORKERS if variant in results.variants]
    if len(workers) > 1:
        yield from ("## Workers", "")
        yield from (
            f"Each has a thread and {QUEUES_EACH} queues; they share the table, under one lock a batch.",
            "",
        )
        yield from comparison.by_figure(workers[0], workers[1:])
        head = ["", "packets a batch", "with the lock, ns a packet", "waiting for it, ns a packet"]
        rows = ([each.title, *_locking(results.counted.get(each.name, {}))] for each in workers)
        yield from table([head, *rows])


def _locking(counted: Mapping[str, object]) -> Iterator[str]:
    """What the workers of one bed counted over all measures."""

    def per(name: str, base: str) -> str:
        value, each = counted.get(name), counted.get(base)
        return digits(value / each) if isinstance(value, int) and isinstance(each, int) and each else "-"

    yield per("packets", "batches")
    yield per("locked_ns", "packets")
    yield per("waited_ns", "packets")


def _core(outcome: Outcome, plots: Plots) -> Iterator[str]:
    memory, curve = outcome.memory, outcome.curve
    sizes = curve or ((memory.table,) if memory.table else ())
    if memory.idle is not None:
        yield from ("## Memory", "", f"The idle daemon holds {memory.idle / 1e6:.0f} MB.", "")
    if not sizes:
        return
    yield from ("## The table by itself", "")
    yield from (
        "Processor time of a packet in the table, in batches, without a network; and what a session holds.\n"
        "The first session behind an external address fills its pool of ports, in 0.1 ms: where sessions are "
        "few, it shows.",
        "",
    )
    rows = (
        [
            f"{cost.sessions:,}",
            digits(cost.established_many_ns),
            digits(cost.new_many_ns),
            digits(cost.bytes_per_session) if cost.sessions >= LARGE else "-",
        ]
        for cost in sizes
    )
    yield from table([["sessions", "established, ns", "new session, ns", "bytes a session"], *rows])
    largest = max(sizes, key=lambda cost: cost.sessions)
    yield from ("Also: " + extremes(largest) + ".", "")
    if len(curve) > 1:
        title = "Processor time of a packet in the table, ns"
        yield from plots.add("table", lines(title, "sessions in the table", _series(curve)), title)


def _series(curve: Iterable[TableCost]) -> dict[str, list[tuple[float, float]]]:
    each = list(curve)
    return {
        "established": [(cost.sessions, cost.established_many_ns) for cost in each],
        "new session": [(cost.sessions, cost.new_many_ns) for cost in each],
    }


def _instructions(outcome: Outcome) -> Iterator[str]:
    counts = outcome.counts
    if counts is None:
        return
    yield from ("## Instructions", "")
    yield from (f"Of a packet in the table, as callgrind counts them; compiled by {counts.compiler}.", "")
    rows = ([instructions.TITLES[name], digits(value)] for name, value in counts.packets.items())
    yield from table([["", "instructions"], *rows])


def _helpers(outcome: Outcome) -> Iterator[str]:
    cost, neighbours = outcome.helper, outcome.neighbours
    if cost is not None:
        yield from ("## Helpers", "", helped.COST, "")
        yield from table(list(helped.costs(cost)))
    if neighbours is not None:
        yield from ("## Delay by helpers", "", helped.DELAY, "")
        yield from table(list(helped.delays(neighbours)))
        yield from (helped.work(neighbours), "")


def _looking(outcome: Outcome) -> Iterator[str]:
    found = outcome.looking
    if found is not None:
        yield from ("## Following the surroundings", "", looking.ABOUT.format(found.routes), "")
        yield from table(list(looking.rows(found)))
