"""What nfmasq must reach, and whether it does."""

from collections.abc import Iterator
from dataclasses import dataclass

from nfmasq.bench import bulk, connections, datagrams, pingpong
from nfmasq.bench.memory import SESSIONS, Memory
from nfmasq.bench.reading import Figure
from nfmasq.bench.results import Ratio, Results
from nfmasq.bench.variants import FLOOR, MASQUERADE, REWRITING_FLOOR, SCAPY, Variant


@dataclass(frozen=True)
class Target:
    """The multiple of another variant's figure that nfmasq must reach, or not exceed where less is better."""

    figure: Figure
    against: Variant
    bound: float


TARGETS = (
    Target(datagrams.RATE, FLOOR, 0.85),
    Target(datagrams.RATE, SCAPY, 50),
    *(
        Target(figure, against, bound)
        for figure in bulk.OPTIONS
        for against, bound in ((REWRITING_FLOOR, 0.85), (MASQUERADE, 0.45), (SCAPY, 50))
    ),
    Target(connections.RATE, MASQUERADE, 0.7),
    Target(pingpong.MEDIAN, FLOOR, 1.3),
)

MOST_IDLE_MB = 60
MOST_SESSION_BYTES = 256


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

    @property
    def reached(self) -> bool:
        """Is the bound kept? To be on it is to keep it."""
        return self.value >= self.bound if self.more_is_better else self.value <= self.bound

    @property
    def mark(self) -> str:
        """The word for it in tables and JSON."""
        return "ok" if self.reached else "short"


def judge(results: Results, memory: Memory) -> Iterator[Judgement]:
    """A judgement of every target for which there are figures."""
    for figure, against, bound in ((t.figure, t.against, t.bound) for t in TARGETS):
        found = results.ratio(figure, against)
        if found is not None:
            title = f"{figure.title} / {against.title}"
            yield Judgement(figure.name, title, against, found.value, bound, figure.more_is_better, found)
    if memory.idle is not None:
        yield Judgement("idle", "resident memory, idle, MB", None, memory.idle / 1e6, MOST_IDLE_MB)
    if memory.table is not None and memory.table.sessions >= SESSIONS:
        cost = memory.table.bytes_per_session
        yield Judgement("session", "bytes a session", None, cost, MOST_SESSION_BYTES)
