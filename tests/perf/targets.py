"""What nfmasq must reach in all that a report holds, and whether it does."""

from collections.abc import Iterator
from statistics import median

from nfmasq.bench import datagrams, pingpong
from nfmasq.bench.targets import TARGETS as ESSENTIAL
from nfmasq.bench.targets import Judgement, Target
from nfmasq.bench.targets import judge as judge_results
from nfmasq.bench.variants import FLOOR, NFMASQ, Variant
from perf import flooded, overload
from perf.helpers import CONNECTIONS, LINES, HelperCost
from perf.looking import IDLE, IDLE_INSIDE, Looking
from perf.looking import TITLES as LOOKING
from perf.measures import ALL
from perf.memory import SESSIONS, Memory
from perf.neighbours import COMPUTING, HELPERS_WORK, TITLES, Neighbours
from perf.outcome import Outcome
from perf.variants import MILLION, ONE_WORKER, TWO_WORKERS


def _with_others(others: Variant, against: Variant, share: float) -> Iterator[Target]:
    """Every figure of `others` reaches this share of what `against` has; a time, its inverse at most."""
    for measure in ALL:
        if measure.fits(others):
            for figure in measure.figures:
                yield Target(figure, against, share if figure.more_is_better else 1 / share, others)


TARGETS = (
    *ESSENTIAL,
    Target(datagrams.MANY_RATE, FLOOR, 0.95),
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
MOST_IDLE_SHARE = 0.005
MOST_SHARE = 0.05
"""Of a processor: while nothing changes, and at five changes a second."""
LONGEST_ADDRESS_S = 0.2
MOST_DELAY = 1.1
"""A round trip's median while a helper works, beside one while it does not: no more than chance makes."""


def judge(outcome: Outcome) -> Iterator[Judgement]:
    """A judgement of every target for which there are figures."""
    yield from judge_results(outcome.results, TARGETS)
    yield from _of_memory(outcome.memory)
    if outcome.helper is not None:
        yield from _of_helpers(outcome.helper)
    if outcome.neighbours is not None:
        yield from _of_neighbours(outcome.neighbours)
    if outcome.looking is not None:
        yield from _of_looking(outcome.looking)


def _of_memory(memory: Memory) -> Iterator[Judgement]:
    if memory.idle is not None:
        yield Judgement("idle", "resident memory, idle, MB", None, memory.idle / 1e6, MOST_IDLE_MB)
    if memory.table is not None and memory.table.sessions >= SESSIONS:
        cost = memory.table.bytes_per_session
        yield Judgement("session", "bytes a session", None, cost, MOST_SESSION_BYTES)
        table = memory.table
        recovered = f"{table.sessions:,} sessions recovered, s"
        yield Judgement("restart", recovered, None, table.restart_s, LONGEST_RESTART_S)


def _of_helpers(cost: HelperCost) -> Iterator[Judgement]:
    for name, title in LINES.items():
        yield Judgement(f"helper-{name}", f"{title}, µs", None, getattr(cost, name) * 1e6, MOST_LINE_US)
    if cost.connections >= CONNECTIONS:
        title = f"{cost.connections:,} idle control connections, MB"
        yield Judgement("helper-idle", title, None, cost.memory / 1e6, MOST_CONTROL_MB)


def _of_neighbours(found: Neighbours) -> Iterator[Judgement]:
    for state in HELPERS_WORK:
        ratio = found.ratio(state, COMPUTING, pingpong.MEDIAN.name)
        if ratio is not None:
            title = f"round trip beside {TITLES[state]} / none"
            name = f"helper-delay-{state}"
            yield Judgement(name, title, None, ratio.value, MOST_DELAY, ratio=ratio)


def _of_looking(found: Looking) -> Iterator[Judgement]:
    for state, share in found.shares.items():
        most = MOST_IDLE_SHARE if state in {IDLE, IDLE_INSIDE} else MOST_SHARE
        yield Judgement(f"looking-{state}", f"of a processor: {LOOKING[state]}", None, share, most)
    if found.address_s:
        title = "another address in force, s"
        yield Judgement("looking-address", title, None, median(found.address_s), LONGEST_ADDRESS_S)
