"""Reads rtnetlink messages: links, IPv4 addresses, nexthop objects and IPv4 routes.

Every length is checked here, once. A message that is too short raises BadMessage, and nothing of it is used.
Addresses are ints in host byte order. The layouts are of linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
and linux/nexthop.h; numbers are in the machine's byte order, addresses in network byte order.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakValueDictionary

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEXTHOP, DELNEXTHOP, GETNEXTHOP = 104, 105, 106
ERROR, DONE, OVERRUN = 2, 3, 4

REPLACE, APPEND = 0x100, 0x800
DUMP_INTERRUPTED = 0x10

UNICAST = 1
MAIN = 254
SCOPE_LINK, SCOPE_HOST = 253, 254

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEXTHOP = struct.Struct("=BBBBI")
_HOP = struct.Struct("=HBBi")
_MEMBER = struct.Struct("=IBBH")
_U32 = struct.Struct("=I")
_TYPE_MASK = 0x3FFF
"""The upper two bits of an attribute's type say how its content is written."""

_UP, _RUNNING, _LOWER_UP = 0x1, 0x40, 0x10000
_SECONDARY = 0x1
_IFLA_IFNAME, _IFLA_MTU = 3, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 4, 5, 6, 7
_RTA_METRICS, _RTA_MULTIPATH, _RTA_TABLE, _RTA_NH_ID = 8, 9, 15, 30
_NHA_ID, _NHA_GROUP, _NHA_OIF, _NHA_GATEWAY = 1, 2, 5, 6

_TABLE_THEN_NETWORK = (_ATTRIBUTE.pack(8, _RTA_TABLE), _ATTRIBUTE.pack(8, _RTA_DST))
_MOST_NETWORKS_REMEMBERED = 1 << 16


class BadMessage(Exception):
    """A netlink message is shorter than its own lengths say."""


class Message(NamedTuple):
    """A netlink message: its header's type and flags, and where its body lies in `data`."""

    kind: int
    flags: int
    sequence: int
    data: bytes
    start: int
    end: int


class Link(NamedTuple):
    """An interface. up: enabled by the administrator. running: it has a carrier as well."""

    interface: int
    name: str
    mtu: int
    up: bool
    running: bool


class Address(NamedTuple):
    """An IPv4 address of an interface. peer: the other end's address; without one, the address itself."""

    interface: int
    local: int
    peer: int
    length: int
    scope: int
    secondary: bool

    def same(self, other: "Address") -> bool:
        """Whether the kernel takes both for one address: its flags and its scope may have changed."""
        return (self.local, self.peer, self.length) == (other.local, other.peer, other.length)

    def holds(self, address: int) -> bool:
        """Whether an address lies in this one's subnet, which is the peer's."""
        return (address ^ self.peer) >> (32 - self.length) == 0


class Hop(NamedTuple):
    """A way a route leaves by. gateway 0: none, or an IPv6 one. weight: of hash multipath, less one."""

    interface: int
    gateway: int
    weight: int = 0


class Nexthop(NamedTuple):
    """A nexthop object: one hop, or a group of other objects, or neither (blackhole)."""

    number: int
    hop: Hop | None
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Way:
    """What a route says beside its network. One object for all routes that say the same: compare by identity.

    nexthop: number of a nexthop object, which then decides in place of `hops`; 0: none.
    metrics: RTA_METRICS as it came: the kernel tells routes apart by it.
    """

    table: int
    tos: int
    priority: int
    kind: int
    scope: int
    protocol: int
    prefsrc: int
    hops: tuple[Hop, ...]
    nexthop: int = 0
    metrics: bytes = b""


def request(kind: int, body: bytes, sequence: int) -> bytes:
    """A request (NLM_F_REQUEST) for a dump (NLM_F_DUMP)."""
    return _HEADER.pack(_HEADER.size + len(body), kind, 0x301, sequence, 0) + body


def address_request(index: int) -> bytes:
    """The body that asks for the IPv4 addresses of one interface; 0: of all."""
    return _ADDRESS.pack(2, 0, 0, 0, index)


LINK_REQUEST = _LINK.pack(0, 0, 0, 0, 0)
ROUTE_REQUEST = _ROUTE.pack(2, 0, 0, 0, 0, 0, 0, 0, 0)
NEXTHOP_REQUEST = _NEXTHOP.pack(0, 0, 0, 0, 0)


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram. Raises BadMessage."""
    position, end = 0, len(data)
    while position < end:
        if end - position < _HEADER.size:
            raise BadMessage(f"{end - position} bytes are no netlink header")
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, position)
        if not _HEADER.size <= length <= end - position:
            raise BadMessage(f"a netlink message of {length} bytes in {end - position}")
        yield Message(kind, flags, sequence, data, position + _HEADER.size, position + length)
        position += (length + 3) & ~3


def error_of(message: Message) -> int:
    """The errno of an error message, or of a dump's end; 0: none. Raises BadMessage."""
    if message.end - message.start < 4:
        raise BadMessage("an error without a number")
    code: int = -struct.unpack_from("=i", message.data, message.start)[0]
    return code


def read_link(message: Message, known: Link | None = None) -> Link | None:
    """The link; None if the message is of a bridge port or another family's view.

    known: the link as it was: some events leave out the name or the MTU. Raises BadMessage.
    """
    family, _, index, flags, _ = fixed(_LINK, message)
    if family:
        return None
    attributes = dict(attributes_in(message, _LINK.size))
    name, mtu = attributes.get(_IFLA_IFNAME), attributes.get(_IFLA_MTU)
    if known is None and (name is None or mtu is None):
        return None
    return Link(
        index,
        name.rstrip(b"\0").decode(errors="replace") if name is not None else known.name if known else "",
        _u32(mtu) if mtu is not None else known.mtu if known else 0,
        bool(flags & _UP),
        bool(flags & (_RUNNING | _LOWER_UP)),
    )


def link_index(message: Message) -> tuple[int, int]:
    """The family and the index of a link message. Raises BadMessage."""
    family, _, index, _, _ = fixed(_LINK, message)
    return family, index


def link_is_up(message: Message) -> bool:
    """Whether a link's message is of an interface that is enabled. Raises BadMessage."""
    return bool(fixed(_LINK, message)[3] & _UP)


def read_address(message: Message) -> Address | None:
    """The address; None if it is not IPv4. Raises BadMessage."""
    family, length, flags, scope, index = fixed(_ADDRESS, message)
    if family != 2:
        return None
    if length > 32:
        raise BadMessage(f"an IPv4 address with prefix length {length}")
    attributes = dict(attributes_in(message, _ADDRESS.size))
    peer = attributes.get(_IFA_ADDRESS) or attributes.get(_IFA_LOCAL)
    if peer is None:
        raise BadMessage("an IPv4 address without an address")
    if _IFA_FLAGS in attributes:
        flags = _u32(attributes[_IFA_FLAGS])
    local = attributes.get(_IFA_LOCAL, peer)
    return Address(index, _ipv4(local), _ipv4(peer), length, scope, bool(flags & _SECONDARY))


def read_nexthop(message: Message) -> Nexthop:
    """A nexthop object. Raises BadMessage."""
    fixed(_NEXTHOP, message)
    attributes = dict(attributes_in(message, _NEXTHOP.size))
    if _NHA_ID not in attributes:
        raise BadMessage("a nexthop object without a number")
    number = _u32(attributes[_NHA_ID])
    if group := attributes.get(_NHA_GROUP):
        if len(group) % _MEMBER.size:
            raise BadMessage(f"a nexthop group of {len(group)} bytes")
        return Nexthop(number, None, tuple(member[0] for member in _MEMBER.iter_unpack(group)))
    if _NHA_OIF not in attributes:
        return Nexthop(number, None, ())
    gateway = attributes.get(_NHA_GATEWAY, b"")
    return Nexthop(number, Hop(_u32(attributes[_NHA_OIF]), _ipv4(gateway) if len(gateway) == 4 else 0), ())


class RouteReader:
    """Reads routes, and makes one Way of all that say the same.

    What is stored: the ways that anybody holds, and the ways of messages that differed in their network only.
    A hundred thousand routes mostly have a handful of ways, so all but the network of most messages is found
    by one look-up. Nobody else writes here; an overfull memory is emptied.
    """

    def __init__(self) -> None:
        self._ways: WeakValueDictionary[tuple[object, ...], Way] = WeakValueDictionary()
        self._remembered: dict[bytes, Way] = {}

    def read(self, message: Message) -> tuple[int, Way] | None:
        """The route as (network << 6 | prefix length, way); None if it is not IPv4 or a cache entry.

        Raises BadMessage.
        """
        _, _, _, data, start, end = message
        # The kernel writes RTA_TABLE and RTA_DST first: what is left is the same for many routes.
        if (data[start + 12 : start + 16], data[start + 20 : start + 24]) == _TABLE_THEN_NETWORK and (
            end - start >= 28
        ):
            said = data[start : start + 20] + data[start + 28 : end]
            way = self._remembered.get(said)
            if way is not None:
                return int.from_bytes(data[start + 24 : start + 28], "big") << 6 | data[start + 1], way
            read = self._read(message)
            if read is not None:
                if len(self._remembered) >= _MOST_NETWORKS_REMEMBERED:
                    self._remembered.clear()
                self._remembered[said] = read[1]
            return read
        return self._read(message)

    def _read(self, message: Message) -> tuple[int, Way] | None:
        family, length, _, tos, table, protocol, scope, kind, flags = fixed(_ROUTE, message)
        if family != 2 or flags & 0x200:  # RTM_F_CLONED
            return None
        if length > 32:
            raise BadMessage(f"an IPv4 route with prefix length {length}")
        attributes = dict(attributes_in(message, _ROUTE.size))
        if table_number := attributes.get(_RTA_TABLE):
            table = _u32(table_number)
        nexthop = _u32(attributes[_RTA_NH_ID]) if _RTA_NH_ID in attributes else 0
        said = (
            table,
            tos,
            _u32(attributes[_RTA_PRIORITY]) if _RTA_PRIORITY in attributes else 0,
            kind,
            scope,
            protocol,
            _ipv4(attributes[_RTA_PREFSRC]) if _RTA_PREFSRC in attributes else 0,
            () if nexthop else _hops(attributes),
            nexthop,
            attributes.get(_RTA_METRICS, b""),
        )
        way = self._ways.get(said)
        if way is None:
            way = self._ways[said] = Way(*said)
        network = _ipv4(attributes[_RTA_DST]) if _RTA_DST in attributes else 0
        return network << 6 | length, way


def _hops(attributes: dict[int, bytes]) -> tuple[Hop, ...]:
    multipath = attributes.get(_RTA_MULTIPATH)
    if multipath is None:
        if _RTA_OIF not in attributes:
            return ()
        gateway = attributes.get(_RTA_GATEWAY)
        return (Hop(_u32(attributes[_RTA_OIF]), _ipv4(gateway) if gateway else 0),)
    hops, position = [], 0
    while position < len(multipath):
        if len(multipath) - position < _HOP.size:
            raise BadMessage("a hop of a multipath route is cut off")
        length, _, weight, index = _HOP.unpack_from(multipath, position)
        if not _HOP.size <= length <= len(multipath) - position:
            raise BadMessage(f"a hop of {length} bytes in {len(multipath) - position}")
        gateway = dict(split(multipath, position + _HOP.size, position + length)).get(_RTA_GATEWAY)
        hops.append(Hop(index, _ipv4(gateway) if gateway else 0, weight))
        position += (length + 3) & ~3
    return tuple(hops)


def fixed(layout: struct.Struct, message: Message) -> tuple[int, ...]:
    """The fields a message's body begins with. Raises BadMessage."""
    if message.end - message.start < layout.size:
        raise BadMessage(f"a body of {message.end - message.start} bytes, {layout.size} at least")
    return layout.unpack_from(message.data, message.start)


def attributes_in(message: Message, skip: int) -> Iterator[tuple[int, bytes]]:
    """The attributes behind `skip` bytes of a body, type and content. Raises BadMessage."""
    return split(message.data, message.start + ((skip + 3) & ~3), message.end)


def split(data: bytes, position: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The attributes from `position` to `end`, type and content. Raises BadMessage."""
    while end - position >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if not _ATTRIBUTE.size <= length <= end - position:
            raise BadMessage(f"an attribute of {length} bytes in {end - position}")
        yield kind & _TYPE_MASK, data[position + _ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3


def _u32(value: bytes) -> int:
    if len(value) != _U32.size:
        raise BadMessage(f"a number of {len(value)} bytes in place of {_U32.size}")
    number: int = _U32.unpack(value)[0]
    return number


def _ipv4(value: bytes) -> int:
    if len(value) != 4:
        raise BadMessage(f"an IPv4 address of {len(value)} bytes")
    return int.from_bytes(value, "big")
