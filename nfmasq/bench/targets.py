"""The targets of nfmasq, and whether it reaches them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nfmasq.bench import bulk, connections, datagrams, pingpong, segments
from nfmasq.bench.reading import Figure
from nfmasq.bench.results import Ratio, Results
from nfmasq.bench.variants import FLOOR, MASQUERADE, NFMASQ, REWRITING_FLOOR, SCAPY, Variant


@dataclass(frozen=True)
class Target:
    """The multiple of another variant's figure that one must reach, or not exceed where less is better.

    against: None: the figure itself is compared with the bound.
    """

    figure: Figure
    against: Variant | None
    bound: float
    ours: Variant = NFMASQ


TARGETS = (
    Target(datagrams.RATE, FLOOR, 0.95),
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
)


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


def judge(results: Results, targets: Iterable[Target] = TARGETS) -> Iterator[Judgement]:
    """A judgement of every target for which there are figures."""
    for target in targets:
        figure, against = target.figure, target.against
        if against is None:
            value = results.median(figure, target.ours)
            if value is not None:
                yield Judgement(figure.name, _title(target), None, value, target.bound, figure.more_is_better)
            continue
        found = results.ratio(figure, against, target.ours)
        if found is not None:
            yield Judgement(
                figure.name,
                _title(target),
                against,
                found.value,
                target.bound,
                figure.more_is_better,
                found,
                target.ours,
            )
