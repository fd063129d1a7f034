"""What the machine has by the kernel's events: links, addresses, nexthop objects, routes.

What is stored: what the mirror says of itself, and what it must read again. `apply()` writes, one event at a
time; the mirror fills everything from a dump and clears what was noted.

What the kernel does without an event, and what follows here:
- A link goes down: routes all of whose hops are down are gone, but for local ones. They are removed here.
- A link goes away: every route with a hop by it is gone, local or multipath. They are removed here.
- An interface's last address goes: as if its link went down, local routes too. They are removed here.
- An address goes: older kernels remove the routes that name it as their source. With such routes: a new dump.
- A link loses its carrier, a nexthop object is removed: objects and routes that need it go. A new dump.
Events do not tell where in its interface's list an address stands: that interface's addresses are read again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from nfmasq.machine import rtnetlink
from nfmasq.machine.routes import Routes
from nfmasq.machine.rtnetlink import SCOPE_HOST, Address, Link, Message, Nexthop, RouteReader, Way

_LEAST_MTU = 68
"""With less the kernel takes IPv4 off an interface (RFC 791)."""


@dataclass
class Changes:
    """What `follow()` saw. anew: everything was read again. routes: each that came or went, and how it leads.

    nexthops: an object changed, so routes may lead elsewhere without having changed.
    """

    anew: bool = False
    links: bool = False
    addresses: bool = False
    nexthops: bool = False
    routes: list[tuple[int, Way]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.anew or self.links or self.addresses or self.nexthops or bool(self.routes)


class Picture:
    """links by index, addresses by index in the kernel's order, nexthop objects by number, and routes."""

    def __init__(self) -> None:
        self.links: dict[int, Link] = {}
        self.addresses: dict[int, tuple[Address, ...]] = {}
        self.nexthops: dict[int, Nexthop] = {}
        self.routes = Routes()
        self._reader = RouteReader()
        self._stale = False
        self._catching_up = True
        self._addresses_changed: set[int] = set()
        self._sources_gone: set[int] = set()

    def apply(self, message: Message, changes: Changes) -> None:
        """Apply one event and note in `changes` what it changed. Raises BadMessage."""
        if apply := _APPLY.get(message.kind):
            apply(self, message, changes)

    def is_up(self, index: int) -> bool:
        """Whether a link is there and enabled: a route's hop by another one is dead."""
        link = self.links.get(index)
        return link is not None and link.up

    def _route_came(self, message: Message, changes: Changes) -> None:
        read = self._reader.read(message)
        if read is None:
            return
        key, way = read
        replaced = self.routes.add(key, way, message.flags)
        if replaced is not None:
            changes.routes.append((key, replaced))
            self._stale |= self._catching_up
        changes.routes.append((key, way))

    def _route_went(self, message: Message, changes: Changes) -> None:
        read = self._reader.read(message)
        if read is not None and self.routes.remove(*read):
            changes.routes.append(read)

    def _link_came(self, message: Message, changes: Changes) -> None:
        known = self.links.get(rtnetlink.link_index(message)[1])
        link = rtnetlink.read_link(message, known)
        if link is None or link == known:
            return
        self.links[link.interface] = link
        changes.links = True
        if known is not None and _lost(known, link):
            self._link_lost(link, changes)

    def _link_went(self, message: Message, changes: Changes) -> None:
        family, index = rtnetlink.link_index(message)
        if family == 0 and index in self.links:
            del self.links[index]
            changes.links = True
            changes.addresses |= index in self.addresses
            self.addresses.pop(index, None)
            self._addresses_changed.discard(index)
            self._stale |= self._bears_nexthops(index)
            changes.routes += self.routes.remove_ways(self._ways_by(index))

    def _link_lost(self, link: Link, changes: Changes) -> None:
        """A link is down, or has no carrier: take the routes that went with it."""
        if self._bears_nexthops(link.interface) or link.mtu < _LEAST_MTU:
            self._stale = True
        if not link.up:
            changes.routes += self.routes.remove_ways(
                [
                    way
                    for way in self._ways_by(link.interface)
                    if way.scope < SCOPE_HOST and self._is_dead(way)
                ]
            )

    def _bears_nexthops(self, index: int) -> bool:
        return any(nexthop.hop and nexthop.hop.interface == index for nexthop in self.nexthops.values())

    def _ways_by(self, index: int) -> list[Way]:
        """The ways with a hop by an interface."""
        return [way for way in self.routes.networks_of if any(hop.interface == index for hop in way.hops)]

    def _is_dead(self, way: Way, without: int = 0) -> bool:
        """Whether no hop is left, `without` an interface."""
        return not any(hop.interface != without and self.is_up(hop.interface) for hop in way.hops)

    def _address_came(self, message: Message, changes: Changes) -> None:
        address = rtnetlink.read_address(message)
        if address is not None:
            others = self.addresses.get(address.interface, ())
            self.addresses[address.interface] = (
                *(each for each in others if not each.same(address)),
                address,
            )
            self._addresses_changed.add(address.interface)

    def _address_went(self, message: Message, changes: Changes) -> None:
        address = rtnetlink.read_address(message)
        if address is None or address.interface not in self.addresses:
            return
        index = address.interface
        self.addresses[index] = tuple(each for each in self.addresses[index] if not each.same(address))
        self._addresses_changed.add(index)
        self._sources_gone.add(address.local)
        if not self.addresses[index]:
            dead = [way for way in self._ways_by(index) if self._is_dead(way, without=index)]
            changes.routes += self.routes.remove_ways(dead)

    def _nexthop_came(self, message: Message, changes: Changes) -> None:
        nexthop = rtnetlink.read_nexthop(message)
        if self.nexthops.get(nexthop.number) != nexthop:
            self.nexthops[nexthop.number] = nexthop
            changes.nexthops = True

    def _nexthop_went(self, message: Message, changes: Changes) -> None:
        nexthop = rtnetlink.read_nexthop(message)
        if self.nexthops.pop(nexthop.number, None) is not None:
            changes.nexthops = True
            self._stale |= any(way.nexthop for way in self.routes.networks_of)


def _lost(before: Link, now: Link) -> bool:
    return before.up > now.up or before.running > now.running or before.mtu >= _LEAST_MTU > now.mtu


_APPLY: dict[int, Callable[[Picture, Message, Changes], None]] = {
    rtnetlink.NEWLINK: Picture._link_came,
    rtnetlink.DELLINK: Picture._link_went,
    rtnetlink.NEWADDR: Picture._address_came,
    rtnetlink.DELADDR: Picture._address_went,
    rtnetlink.NEWROUTE: Picture._route_came,
    rtnetlink.DELROUTE: Picture._route_went,
    rtnetlink.NEWNEXTHOP: Picture._nexthop_came,
    rtnetlink.DELNEXTHOP: Picture._nexthop_went,
}
