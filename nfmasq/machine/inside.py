"""Which addresses are inside by longest prefix, and which of them are translated."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from ipaddress import IPv4Network
from typing import NamedTuple

from nfmasq.machine.ranges import EVERYTHING, Block, Range, common, nearest, outermost, range_of
from nfmasq.machine.roads import Roads
from nfmasq.machine.routes import Routes, bounds, preference

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
    contested: list[Block] = []
    ranges = [
        (first, last)
        for wide in watched
        for first, last, is_inside in nearest(_decisions(routes, roads, wide, contested))
        if is_inside
    ]
    return Inside(ranges, watched, contested)


def _decisions(
    routes: Routes, roads: Roads, wide: Range, contested: list[Block]
) -> Iterator[tuple[int, int, bool]]:
    """The networks in a range and whether each is inside, those left out that decide nothing."""
    for key in routes.within(*wide):
        first, last = bounds(key)
        if last > wide[1]:
            continue
        ways = [way for way in routes.ways[key] if roads.hops(way)]
        if not ways:
            continue
        leads_inside = [roads.leads_inside(way) for way in ways]
        if any(leads_inside) and any(map(roads.leads_out, ways)):
            contested.append((first, key & 63))
        best = min(range(len(ways)), key=lambda at: preference(ways[at]))
        yield first, last, leads_inside[best]


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
