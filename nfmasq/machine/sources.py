"""Which of the router's addresses goes with a packet, as the kernel chooses the source of its own packets.

The kernel's order: the route's preferred source; else the first primary address of the interface in whose
subnet the gateway lies; else the interface's first primary address; else one of another interface. Each must
have a scope as wide as the route's. Two departures: an address of an internal interface is never taken,
and of other interfaces only loopback's, for unnumbered uplinks. Another uplink's is taken where a route names
it: several uplinks may share an address. An uplink that waits for its
new lease must not appear by the address of a container bridge.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nfmasq.machine.ranges import EVERYTHING, Range, outermost
from nfmasq.machine.routes import Routes, bounds, preference
from nfmasq.machine.rtnetlink import SCOPE_HOST, SCOPE_LINK, Address, Hop, Way

LOOPBACK = 1
_UNIVERSE = 0


@dataclass(frozen=True)
class Choice:
    """Which address an uplink gives to what: `others` for their networks, longest prefix first, else `usual`.

    others: (network's key, address), each other than what the next shorter one says. usual 0: none.
    watched: the ranges in which a route with the usual address matters as well, ascending.
    """

    usual: int
    others: tuple[tuple[int, int], ...] = ()
    watched: tuple[Range, ...] = ()

    def watches(self, first: int, last: int) -> bool:
        """Whether a route of these addresses matters by where it lies."""
        at = bisect_right(self.watched, (first, 0xFFFFFFFF)) - 1
        return at >= 0 and last <= self.watched[at][1]


class Selection:
    """Chooses sources for one uplink.

    addresses: of each interface, in the kernel's order. internal: interfaces whose addresses are not for it.
    """

    def __init__(
        self, uplink: int, addresses: Mapping[int, Sequence[Address]], internal: frozenset[int]
    ) -> None:
        self.uplink = uplink
        self._own = [each for each in addresses.get(uplink, ()) if not each.secondary]
        self._fallback = [
            each for each in addresses.get(LOOPBACK, ()) if not each.secondary and each.scope != SCOPE_LINK
        ]
        self._refused = {each.local for index in internal for each in addresses.get(index, ())} - {
            each.local for each in addresses.get(uplink, ())
        }

    def source(self, way: Way, hops: Iterable[Hop]) -> int:
        """The source of what goes this way by the uplink; 0: no address can be given, or it is not by it."""
        for hop in hops:
            if hop.interface == self.uplink:
                if way.prefsrc and way.prefsrc not in self._refused:
                    return way.prefsrc
                return self._select(hop.gateway, way.scope)
        return 0

    def _select(self, gateway: int, scope: int) -> int:
        own = self._first_own(gateway, scope)
        return own or next((each.local for each in self._fallback if each.scope <= scope), 0)

    def _first_own(self, gateway: int = 0, scope: int = _UNIVERSE) -> int:
        wide = [each for each in self._own if min(each.scope, SCOPE_HOST) <= scope]
        near = [each for each in wide if gateway and each.holds(gateway)]
        return next((each.local for each in (*near, *wide)), 0)

    def choose(self, routes: Routes, hops_of: Callable[[Way], Sequence[Hop]]) -> Choice:
        """What each route by this uplink says, as few lines as there can be."""
        sources = {way: self.source(way, hops_of(way)) for way in routes.networks_of}
        sources = {way: source for way, source in sources.items() if source}
        usual = sure = _decided(routes.ways.get(0, ()), sources) or self._first_own()
        if not sure and sources:
            usual = sources[min(sources, key=preference)]
        odd = {
            key
            for way, source in sources.items()
            if source != usual
            for key in routes.networks_of[way]
            if key != 0
        }
        watched = outermost(bounds(key) for key in sorted(odd))
        others: list[tuple[int, int]] = []
        for first, last in watched:
            others += _differing(routes, sources, first, last, usual)
        others.sort(key=lambda each: (-(each[0] & 63), each[0]))
        return Choice(usual, tuple(others), tuple(watched) if sure else (EVERYTHING,))


def _differing(
    routes: Routes, sources: Mapping[Way, int], first: int, last: int, usual: int
) -> Iterable[tuple[int, int]]:
    """The networks in a range whose source is not the one of the network around them."""
    around: list[tuple[int, int]] = []
    for key in routes.within(first, last):
        end = bounds(key)[1]
        source = _decided(routes.ways[key], sources) if end <= last else 0
        if not source:
            continue
        while around and around[-1][0] < key >> 6:
            around.pop()
        if source != (around[-1][1] if around else usual):
            yield key, source
        around.append((end, source))


def _decided(ways: Iterable[Way], sources: Mapping[Way, int]) -> int:
    known = [way for way in ways if way in sources]
    return sources[min(known, key=preference)] if known else 0
