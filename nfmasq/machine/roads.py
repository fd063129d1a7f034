"""Where the machine's routes lead: the living hops of each way, and which side they are on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from nfmasq.machine.routes import Routes
from nfmasq.machine.rtnetlink import UNICAST, Address, Hop, Link, Nexthop, Way

DEFAULT_LIKE = 7
"""Networks with this prefix length or less are parts of a default route, as some tunnels write it."""


class Seen(Protocol):
    """What is read of the machine; a Mirror is one."""

    @property
    def links(self) -> Mapping[int, Link]: ...
    @property
    def addresses(self) -> Mapping[int, Sequence[Address]]: ...
    @property
    def nexthops(self) -> Mapping[int, Nexthop]: ...
    @property
    def routes(self) -> Routes: ...


class Roads:
    """The hops of ways, remembered. Good for as long as links and nexthop objects stay as they are."""

    def __init__(self, seen: Seen, internal: frozenset[int], uplinks: frozenset[int]) -> None:
        self._seen = seen
        self._hops: dict[Way, tuple[Hop, ...]] = {}
        self._interfaces: dict[Way, frozenset[int]] = {}
        self.internal = internal
        self.uplinks = uplinks

    def hops(self, way: Way) -> tuple[Hop, ...]:
        """The hops packets can take; none unless the way is a unicast route's."""
        hops = self._hops.get(way)
        if hops is None:
            hops = self._hops[way] = self._living(way)
        return hops

    def interfaces(self, way: Way) -> frozenset[int]:
        """The interfaces a way leaves by."""
        found = self._interfaces.get(way)
        if found is None:
            found = self._interfaces[way] = frozenset(hop.interface for hop in self.hops(way))
        return found

    def leads_inside(self, way: Way) -> bool:
        """Whether any hop leaves by an internal interface."""
        return not self.internal.isdisjoint(self.interfaces(way))

    def leads_out(self, way: Way) -> bool:
        """Whether any hop leaves by an uplink."""
        return not self.uplinks.isdisjoint(self.interfaces(way))

    def leads_elsewhere(self, way: Way) -> bool:
        """Whether any hop leaves by an interface that is neither."""
        return not self.interfaces(way) <= self.internal | self.uplinks

    def lead_as(self, before: "Roads", routes: Routes) -> bool:
        """Whether every way leads to the same hops as before, and each hop to the same side."""
        return (
            self.internal == before.internal
            and self.uplinks == before.uplinks
            and all(self.hops(way) == hops for way, hops in before.known() if way in routes.networks_of)
        )

    def known(self) -> Iterable[tuple[Way, tuple[Hop, ...]]]:
        """The ways that were asked about, and their hops."""
        return self._hops.items()

    def _living(self, way: Way) -> tuple[Hop, ...]:
        if way.kind != UNICAST:
            return ()
        hops = self._of_object(way.nexthop) if way.nexthop else way.hops
        links = self._seen.links
        return tuple(hop for hop in hops if hop.interface in links and links[hop.interface].up)

    def _of_object(self, number: int) -> tuple[Hop, ...]:
        """Groups have no groups in them, so one look deeper is enough."""
        nexthops = self._seen.nexthops
        nexthop = nexthops.get(number)
        if nexthop is None:
            return ()
        members = (nexthops.get(member) for member in nexthop.members)
        return tuple(each.hop for each in (nexthop, *members) if each is not None and each.hop is not None)
