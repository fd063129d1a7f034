"""What nfmasq must reach, and whether it does."""

from collections.abc import Iterator
from dataclasses import dataclass

from nfmasq.bench import bulk, connections, datagrams, flooded, overload, pingpong, segments
from nfmasq.bench.helpers import CONNECTIONS, LINES, HelperCost
from nfmasq.bench.measures import EXTRA, MEASURES
from nfmasq.bench.memory import SESSIONS, Memory
from nfmasq.bench.neighbours import COMPUTING, HELPERS_WORK, TITLES, Neighbours
from nfmasq.bench.outcome import Outcome
from nfmasq.bench.reading import Figure
from nfmasq.bench.results import Ratio, Results
from nfmasq.bench.variants import (
    FLOOR,
    MASQUERADE,
    MILLION,
    NFMASQ,
    ONE_WORKER,
    REWRITING_FLOOR,
    SCAPY,
    TWO_WORKERS,
    Variant,
)


@dataclass(frozen=True)
class Target:
    """The multiple of another variant's figure that one must reach, or not exceed where less is better.

    against: None: the figure itself is held against the bound.
    """

    figure: Figure
    against: Variant | None
    bound: float
    ours: Variant = NFMASQ


def _with_others(others: Variant, against: Variant, share: float) -> Iterator[Target]:
    """Every figure of `others` reaches this share of what `against` has; a time, its inverse at most."""
    for measure in (*MEASURES, *EXTRA):
        if measure.fits(others):
            for figure in measure.figures:
                yield Target(figure, against, share if figure.more_is_better else 1 / share, others)


TARGETS = (
    Target(datagrams.RATE, FLOOR, 0.95),
    Target(datagrams.MANY_RATE, FLOOR, 0.95),
    Target(datagrams.RATE, SCAPY, 50),
    *(
        Target(figure, against, bound)
        for figure in bulk.OPTIONS
        for against, bound in ((REWRITING_FLOOR, 0.95), (MASQUERADE, 0.45), (SCAPY, 50))
    ),
    *(Target(figure, REWRITING_FLOOR, 0.95) for figure in (segments.UP, segments.DOWN)),
    Target(connections.RATE, FLOOR, 0.95),
    Target(connections.RATE, MASQUERADE, 0.7),
    Target(pingpong.MEDIAN, FLOOR, 1.1),
    Target(pingpong.P99, FLOOR, 1.3),
    Target(overload.KEPT, None, 0.9),
    Target(flooded.SHARE, None, 0.95),
    *_with_others(MILLION, NFMASQ, 0.9),
    *_with_others(TWO_WORKERS, ONE_WORKER, 1.0),
)

MOST_IDLE_MB = 60
MOST_SESSION_BYTES = 200
LONGEST_RESTART_S = 1
MOST_LINE_US = 50
MOST_CONTROL_MB = 100
MOST_DELAY = 1.1
"""A round trip's median while a helper works, beside one while it does not: no more than chance makes."""


@dataclass(frozen=True)
class Judgement:
    """One target and what was measured: a ratio, or where `against` is None the value itself."""

    name: str
    title: str
    against: Variant | None
    value: float
    bound: float
    more_is_better: bool = False
    ratio: Ratio | None = None
    ours: Variant = NFMASQ

    @property
    def reached(self) -> bool:
        """Is the bound kept? To be on it is to keep it."""
        return self.value >= self.bound if self.more_is_better else self.value <= self.bound

    @property
    def mark(self) -> str:
        """The word for it in tables and JSON."""
        return "ok" if self.reached else "short"


def _title(target: Target) -> str:
    ours = "" if target.ours is NFMASQ else f"{target.ours.title}: "
    against = f" / {target.against.title}" if target.against else ""
    return f"{ours}{target.figure.title}{against}"


def judge(outcome: Outcome) -> Iterator[Judgement]:
    """A judgement of every target for which there are figures."""
    yield from _of_ways(outcome.results)
    yield from _of_memory(outcome.memory)
    if outcome.helper is not None:
        yield from _of_helpers(outcome.helper)
    if outcome.neighbours is not None:
        yield from _of_neighbours(outcome.neighbours)


def _of_ways(results: Results) -> Iterator[Judgement]:
    for target in TARGETS:
        figure, against = target.figure, target.against
        if against is None:
            value = results.median(figure, target.ours)
            if value is not None:
                yield Judgement(figure.name, _title(target), None, value, target.bound, figure.more_is_better)
            continue
        found = results.ratio(figure, against, target.ours)
        if found is not None:
            ours = "" if target.ours is NFMASQ else f"{target.ours.title}: "
            title = f"{ours}{figure.title} / {against.title}"
            yield Judgement(
                figure.name,
                title,
                against,
                found.value,
                target.bound,
                figure.more_is_better,
                found,
                target.ours,
            )


def _of_memory(memory: Memory) -> Iterator[Judgement]:
    if memory.idle is not None:
        yield Judgement("idle", "resident memory, idle, MB", None, memory.idle / 1e6, MOST_IDLE_MB)
    if memory.table is not None and memory.table.sessions >= SESSIONS:
        cost = memory.table.bytes_per_session
        yield Judgement("session", "bytes a session", None, cost, MOST_SESSION_BYTES)
        table = memory.table
        found_again = f"{table.sessions:,} sessions found again, s"
        yield Judgement("restart", found_again, None, table.restart_s, LONGEST_RESTART_S)


def _of_helpers(cost: HelperCost) -> Iterator[Judgement]:
    for name, title in LINES.items():
        yield Judgement(f"helper-{name}", f"{title}, µs", None, getattr(cost, name) * 1e6, MOST_LINE_US)
    if cost.connections >= CONNECTIONS:
        title = f"{cost.connections:,} idle control connections, MB"
        yield Judgement("helper-idle", title, None, cost.held / 1e6, MOST_CONTROL_MB)


def _of_neighbours(found: Neighbours) -> Iterator[Judgement]:
    for state in HELPERS_WORK:
        ratio = found.ratio(state, COMPUTING, pingpong.MEDIAN.name)
        if ratio is not None:
            title = f"round trip beside {TITLES[state]} / none"
            name = f"helper-delay-{state}"
            yield Judgement(name, title, None, ratio.value, MOST_DELAY, ratio=ratio)
