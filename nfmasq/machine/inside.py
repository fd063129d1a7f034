"""Which addresses are inside by longest prefix, and which of them are translated."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from ipaddress import IPv4Network
from typing import NamedTuple

from nfmasq.machine.ranges import EVERYTHING, Block, Range, common, nearest, outermost, range_of
from nfmasq.machine.roads import Roads
from nfmasq.machine.routes import Routes, bounds, preference
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


class Inside(NamedTuple):
    """ranges: the inside addresses, ascending. watched: where any route may change them, ascending.

    contested: networks that have a route by both sides.
    """

    ranges: list[Range]
    watched: list[Range]
    contested: list[Block]


def read_inside(routes: Routes, roads: Roads) -> Inside:
    """The addresses whose narrowest route leaves by an internal interface."""
    leading = {
        key
        for way, networks in routes.networks_of.items()
        if roads.leads_inside(way)
        for key in networks
        if key & 63
    }
    watched = outermost(bounds(key) for key in sorted(leading))
    decide = _Decisions(roads)
    ranges: list[Range] = []
    contested: list[Block] = []
    for wide in watched:
        nested = []
        for key in routes.within(*wide):
            first, last = bounds(key)
            decision = decide(routes.ways[key]) if last <= wide[1] else UNDECIDED
            if decision is not UNDECIDED:
                nested.append((first, last, decision.inside))
            if decision.contested:
                contested.append((first, key & 63))
        parts = nested if len(nested) == 1 else nearest(nested)
        ranges += [(first, last) for first, last, is_inside in parts if is_inside]
    return Inside(ranges, watched, contested)


class Decision(NamedTuple):
    """inside: the best of a network's ways leads inside. contested: some way leads inside, some way out."""

    inside: bool
    contested: bool


UNDECIDED = Decision(False, False)
"""Of a network without a way that leads anywhere."""


class _Decisions:
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
        return Decision(
            self._roads.leads_inside(min(leading, key=preference)),
            any(map(self._roads.leads_inside, leading)) and any(map(self._roads.leads_out, leading)),
        )


def fates(
    ranges: Sequence[Range], wanted: Iterable[tuple[IPv4Network, bool]]
) -> Iterator[tuple[int, int, Fate]]:
    """What becomes of each inside range: what the narrowest [[network]] says, else: private is translated."""
    said: dict[Block, Fate | None] = {(0, 0): None}
    for network, translate in wanted:
        said[int(network.network_address), network.prefixlen] = (
            Fate.TRANSLATED if translate else Fate.NOT_WANTED
        )
    usual = list(
        nearest([(*EVERYTHING, Fate.PUBLIC), *((*range_of(block), Fate.TRANSLATED) for block in PRIVATE)])
    )
    explicit = list(nearest((*range_of(block), said[block]) for block in sorted(said)))
    for first, last, fate in common(ranges, explicit):
        if fate is None:
            yield from common([(first, last)], usual)
        else:
            yield first, last, fate
