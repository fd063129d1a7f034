"""The machine's links, IPv4 addresses, nexthop objects and IPv4 routes, followed as they change.

What is stored: links by index, addresses by index in the kernel's order, nexthop objects by number, routes.
One dump fills them; `follow()` applies the kernel's events (RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, NEXTHOP).
Only `follow()` writes. A new dump ends everything stored. `follow()` makes one when events were lost
(ENOBUFS), truncated or damaged, and when the kernel removes routes without telling which.

What the kernel does without an event, and what follows here:
- A link goes down or away: routes all of whose hops are down are gone. They are removed here.
- An address goes: older kernels remove the routes that name it as their source. With such routes: a new dump.
- A link loses its carrier, a nexthop object is removed: objects and routes that need it go. A new dump.
Events do not tell where in its interface's list an address stands: that interface's addresses are read again.

Events that came during a dump are applied after it, though the dump may know better already. To apply them
twice does no harm, but for a replacement, which may hit another route of its network: then comes a new dump.

Why an own reader: docs/architecture.md has the figures against pyroute2.
"""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from nfmasq.machine import rtnetlink
from nfmasq.machine.netlink_dump import NETLINK_ROUTE, SOL_NETLINK, NetlinkDump
from nfmasq.machine.routes import Routes
from nfmasq.machine.rtnetlink import Address, BadMessage, Link, Message, Nexthop, RouteReader, Way

_ADD_MEMBERSHIP = 1
_GROUP_LINK, _GROUP_ADDRESS, _GROUP_ROUTE, _GROUP_NEXTHOP = 1, 5, 7, 32
_SO_RCVBUFFORCE = 33
_EVENTS_BUFFER = 8 << 20
_DATAGRAM = 1 << 16
_LEAST_MTU = 68
"""With less the kernel takes IPv4 off an interface (RFC 791)."""
_DATAGRAMS_AT_ONCE = 4096
"""A storm of events does not keep the caller for ever: it is called again."""


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


class Mirror:
    """Of the network namespace of the thread that makes it. Raises OSError if the kernel refuses.

    messages_read: netlink messages so far. dumps: whole ones so far, the first included.
    """

    def __init__(self, buffer: int = _EVENTS_BUFFER) -> None:
        self.links: dict[int, Link] = {}
        self.addresses: dict[int, tuple[Address, ...]] = {}
        self.nexthops: dict[int, Nexthop] = {}
        self.routes = Routes()
        self.messages_read = 0
        self.dumps = 0
        self._reader = RouteReader()
        self._stale = False
        self._catching_up = True
        self._addresses_changed: set[int] = set()
        self._kernel = NetlinkDump()
        try:
            self._events = _events_socket(buffer)
        except OSError:
            self._kernel.close()
            raise
        try:
            self._fill()
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Follow no more. Harmless when called twice."""
        for each in (self._events, self._kernel):
            each.close()

    def fileno(self) -> int:
        """For select, poll and event loops: readable when there is something to follow."""
        return self._events.fileno()

    def follow(self) -> Changes:
        """Apply what happened since. Never waits for events.

        Raises OSError when the kernel cannot be read; the next call dumps everything again.
        """
        changes = Changes()
        for _ in range(_DATAGRAMS_AT_ONCE):
            if not self._follow_datagram(changes):
                self._catching_up = False
                break
        if not self._stale and self._addresses_changed:
            self._reread_addresses(changes)
        if self._stale:
            self._fill()
            changes.anew = True
        return changes

    def _follow_datagram(self, changes: Changes) -> bool:
        """Apply one datagram of events; False when there is none."""
        try:
            data, _, flags, sender = self._events.recvmsg(_DATAGRAM)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._stale = True
            return True
        if sender[0] != 0:  # not from the kernel
            return True
        if flags & socket.MSG_TRUNC:
            self._stale = True
            return True
        try:
            for message in rtnetlink.messages(data):
                self.messages_read += 1
                if apply := _APPLY.get(message.kind):
                    apply(self, message, changes)
        except BadMessage:
            self._stale = True
        return True

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
        if family == 0 and (link := self.links.pop(index, None)):
            changes.links = True
            changes.addresses |= bool(self.addresses.pop(index, ()))
            self._addresses_changed.discard(index)
            self._link_lost(link._replace(up=False), changes)

    def _link_lost(self, link: Link, changes: Changes) -> None:
        """A link is down, away, or has no carrier: take the routes that went with it."""
        if any(nexthop.hop and nexthop.hop.interface == link.interface for nexthop in self.nexthops.values()):
            self._stale = True
        if link.mtu < _LEAST_MTU:
            self._stale = True
        if link.up:
            return
        dead = [
            way
            for way in self.routes.networks_of
            if any(hop.interface == link.interface for hop in way.hops)
            and not any(self.is_up(hop.interface) for hop in way.hops)
        ]
        changes.routes += self.routes.remove_ways(dead)

    def is_up(self, index: int) -> bool:
        """Whether a link is there and enabled: a route's hop by another one is dead."""
        link = self.links.get(index)
        return link is not None and link.up

    def _address_changed(self, message: Message, changes: Changes) -> None:
        address = rtnetlink.read_address(message)
        if address is not None:
            self._addresses_changed.add(address.interface)

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

    def _reread_addresses(self, changes: Changes) -> None:
        """Read the addresses of the interfaces again on which one came or went."""
        changed, self._addresses_changed = self._addresses_changed, set()
        gone: set[int] = set()
        for index in changed:
            before = self.addresses.get(index, ())
            read = self._read_addresses(index).get(index, ())
            if read == before:
                continue
            changes.addresses = True
            gone.update({each.local for each in before} - {each.local for each in read})
            if read:
                self.addresses[index] = read
            else:
                del self.addresses[index]
        if gone and any(way.prefsrc in gone for way in self.routes.networks_of):
            self._stale = True

    def _read_addresses(self, index: int = 0) -> dict[int, tuple[Address, ...]]:
        try:
            dumped = self._kernel.read(
                rtnetlink.GETADDR, rtnetlink.address_request(index), rtnetlink.NEWADDR, rtnetlink.read_address
            )
        except OSError as error:
            if error.errno == errno.ENODEV:
                return {}
            raise
        found: dict[int, list[Address]] = {}
        for address in dumped:
            found.setdefault(address.interface, []).append(address)
        return {each: tuple(found[each]) for each in found}

    def _fill(self) -> None:
        """Read everything again. Stale until that has succeeded."""
        self._stale = True
        links = self._kernel.read(
            rtnetlink.GETLINK, rtnetlink.LINK_REQUEST, rtnetlink.NEWLINK, rtnetlink.read_link
        )
        addresses = self._read_addresses()
        try:
            nexthops = self._kernel.read(
                rtnetlink.GETNEXTHOP,
                rtnetlink.NEXTHOP_REQUEST,
                rtnetlink.NEWNEXTHOP,
                rtnetlink.read_nexthop,
            )
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            nexthops = []
        routes = self._kernel.read(
            rtnetlink.GETROUTE, rtnetlink.ROUTE_REQUEST, rtnetlink.NEWROUTE, self._reader.read
        )
        self.links = {link.interface: link for link in links}
        self.addresses = addresses
        self.nexthops = {nexthop.number: nexthop for nexthop in nexthops}
        self.routes = Routes(routes)
        self._addresses_changed.clear()
        self._stale, self._catching_up = False, True
        self.dumps += 1


def _lost(before: Link, now: Link) -> bool:
    return before.up > now.up or before.running > now.running or before.mtu >= _LEAST_MTU > now.mtu


def _events_socket(buffer: int) -> socket.socket:
    """A socket that is sent what changes; raises OSError."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_ROUTE)
    try:
        try:
            events.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
        except PermissionError:
            events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        events.bind((0, 0))
        for group in (_GROUP_LINK, _GROUP_ADDRESS, _GROUP_ROUTE):
            events.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, group)
        with suppress(OSError):  # Linux before 5.3 has no nexthop objects
            events.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_NEXTHOP)
    except OSError:
        events.close()
        raise
    return events


_APPLY: dict[int, Callable[[Mirror, Message, Changes], None]] = {
    rtnetlink.NEWLINK: Mirror._link_came,
    rtnetlink.DELLINK: Mirror._link_went,
    rtnetlink.NEWADDR: Mirror._address_changed,
    rtnetlink.DELADDR: Mirror._address_changed,
    rtnetlink.NEWROUTE: Mirror._route_came,
    rtnetlink.DELROUTE: Mirror._route_went,
    rtnetlink.NEWNEXTHOP: Mirror._nexthop_came,
    rtnetlink.DELNEXTHOP: Mirror._nexthop_went,
}
