"""Which addresses are inside by longest prefix, and which of them are translated."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from ipaddress import IPv4Network
from typing import NamedTuple

from nfmasq.machine.ranges import EVERYTHING, Block, Range, common, nearest, range_of
from nfmasq.machine.roads import Roads
from nfmasq.machine.routes import preference
from nfmasq.machine.rtnetlink import Way

PRIVATE: tuple[Block, ...] = tuple(
    (int(network.network_address), network.prefixlen)
    for network in map(
        IPv4Network,
        ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    )
)
"""RFC 1918, RFC 6598 and RFC 3927, ascending."""


class Fate(Enum):
    """What becomes of an inside address: translated; not, as it is public; not, as a key says so."""

    TRANSLATED = 1
    PUBLIC = 2
    NOT_WANTED = 3


class Decision(NamedTuple):
    """decided: some way of a network leads somewhere. inside: the best of them leads inside. leads: some way
    leads inside. contested: some way leads inside, some way out."""

    decided: bool
    inside: bool
    leads: bool
    contested: bool


UNDECIDED = Decision(decided=False, inside=False, leads=False, contested=False)
"""Of a network without a way that leads anywhere."""


class Decisions:
    """What a network's ways decide. Few networks have ways no other has, so the answers are kept."""

    def __init__(self, roads: Roads) -> None:
        self._roads = roads
        self._known: dict[tuple[Way, ...], Decision] = {}

    def __call__(self, ways: tuple[Way, ...]) -> Decision:
        known = self._known.get(ways)
        if known is None:
            known = self._known[ways] = self._decide(ways)
        return known

    def _decide(self, ways: tuple[Way, ...]) -> Decision:
        leading = [way for way in ways if self._roads.hops(way)]
        if not leading:
            return UNDECIDED
        leads = any(map(self._roads.leads_inside, leading))
        return Decision(
            decided=True,
            inside=self._roads.leads_inside(min(leading, key=preference)),
            leads=leads,
            contested=leads and any(map(self._roads.leads_out, leading)),
        )


Part = tuple[int, int, Fate]


def fates_of_everything(wanted: Iterable[tuple[IPv4Network, bool]]) -> list[Part]:
    """What becomes of each address were it inside, in as few parts as there can be, ascending.

    What the narrowest [[network]] says, else: private is translated.
    """
    said: dict[Block, Fate | None] = {(0, 0): None}
    for network, translate in wanted:
        said[int(network.network_address), network.prefixlen] = (
            Fate.TRANSLATED if translate else Fate.NOT_WANTED
        )
    usual = list(
        nearest([(*EVERYTHING, Fate.PUBLIC), *((*range_of(block), Fate.TRANSLATED) for block in PRIVATE)])
    )
    found: list[Part] = []
    for first, last, fate in nearest((*range_of(block), said[block]) for block in sorted(said)):
        if fate is None:
            found += common([(first, last)], usual)
        else:
            found.append((first, last, fate))
    return found


def fates(ranges: Sequence[Range], of_everything: Sequence[Part]) -> Iterator[Part]:
    """What becomes of each inside range."""
    if not ranges:
        return iter(())
    at = bisect_left(of_everything, ranges[0][0], key=lambda part: part[1])
    return common(ranges, of_everything[at:] if at else of_everything)
