"""What the router itself takes of the protocols without ports: its tunnels, IPsec, and raw sockets.

The kernel delivers such a packet where a tunnel's interface, an IPsec state or a raw socket waits for it, and
answers "protocol unreachable" where nothing does. Connection tracking knows of it only where it is at work.

Nothing is stored; `own_followed` keeps what was read here.
"""

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.machine import rtnetlink
from nfmasq.machine.netlink_dump import NETLINK_ROUTE, NetlinkDump
from nfmasq.machine.rtnetlink import BadMessage, Message, attributes_in, split

IPIP, TCP, UDP, IPV6, GRE, ESP, SCTP = 4, 6, 17, 41, 47, 50, 132

_RAW_SOCKETS = "/proc/thread-self/net/raw"
_SCTP_ENDPOINTS = "/proc/thread-self/net/sctp/eps"

# linux/if_link.h, linux/if_tunnel.h: of a tunnel's kind, the protocols it is carried by and where its
# attributes have the remote address.
_IFLA_LINKINFO, _INFO_KIND, _INFO_DATA = 18, 1, 2
_TUNNELS = {
    "ipip": ((IPIP, IPV6), 3),
    "sit": ((IPIP, IPV6), 3),
    "gre": ((GRE,), 7),
    "gretap": ((GRE,), 7),
    "erspan": ((GRE,), 7),
    "vti": ((ESP, IPIP), 5),
}

NETLINK_XFRM = 6

# linux/xfrm.h: where a state's description has its addresses and its protocol.
_GET_STATES, _STATE = 18, 16
_DESTINATION_AT, _PROTOCOL_AT, _SOURCE_AT, _STATE_SIZE = 56, 76, 80, 96


class Taken(NamedTuple):
    """A protocol, and the remote address its packets come from; None: any."""

    protocol: int
    remote: IPv4Address | None


def sockets() -> list[Taken]:
    """What raw sockets and SCTP endpoints take. No event tells of them."""
    return [*_raw_sockets(), *_sctp()]


def tunnels() -> list[Taken]:
    """What tunnels' interfaces take. Raises OSError if the kernel does not tell."""
    return _read(NETLINK_ROUTE, rtnetlink.GETLINK, rtnetlink.LINK_REQUEST, rtnetlink.NEWLINK, _tunnel)


def states() -> list[Taken]:
    """What IPsec states take. Raises OSError if the kernel does not tell, as one without IPsec."""
    return _read(NETLINK_XFRM, _GET_STATES, b"", _STATE, _state)


def fewest(found: Iterable[Taken], most: int) -> tuple[Taken, ...]:
    """The same, each once; at most so many: where there are more, whole protocols."""
    taken = set(found)
    if len(taken) > most:
        taken = {Taken(each.protocol, None) for each in taken}
    whole = {each.protocol for each in taken if each.remote is None}
    kept = (each for each in taken if each.remote is None or each.protocol not in whole)
    return tuple(sorted(kept, key=lambda each: (each.protocol, int(each.remote or 0))))[:most]


def _raw_sockets() -> Iterator[Taken]:
    """By their protocol, which the table lists in place of a port. One for all (255) only sends."""
    try:
        with open(_RAW_SOCKETS, encoding="ascii") as file:
            next(file, None)
            rows = [line.split(maxsplit=3) for line in file]
    except OSError:
        return
    for row in rows:
        protocol = int(row[1].rpartition(":")[2], 16)
        remote = int.from_bytes(bytes.fromhex(row[2].partition(":")[0])[::-1], "big")
        if protocol < socket.IPPROTO_RAW and protocol not in {socket.IPPROTO_ICMP, TCP, UDP}:
            yield Taken(protocol, IPv4Address(remote) if remote else None)


def _sctp() -> Iterator[Taken]:
    """Any endpoint takes the protocol: the core knows no ports of it."""
    try:
        with open(_SCTP_ENDPOINTS, encoding="ascii") as file:
            if len(file.readlines()) > 1:
                yield Taken(SCTP, None)
    except OSError:
        return


def _read(
    family: int, kind: int, body: bytes, answer: int, read: Callable[[Message], list[Taken]]
) -> list[Taken]:
    dump = NetlinkDump(family)
    try:
        return [each for some in dump.read(kind, body, answer, read) for each in some]
    finally:
        dump.close()


def is_about_tunnel(message: Message) -> bool:
    """Is a link's message about a tunnel's interface? Raises BadMessage."""
    return bool(_protocols_and_remote(message)[0])


def _tunnel(message: Message) -> list[Taken]:
    """What a tunnel's interface takes; nothing of any other. Raises BadMessage.

    One that is down takes nothing. The kernel makes some for each of its kinds, which stay down: gre0, tunl0.
    """
    if not rtnetlink.link_is_up(message):
        return []
    protocols, remote = _protocols_and_remote(message)
    return [Taken(protocol, IPv4Address(remote) if remote else None) for protocol in protocols]


def _protocols_and_remote(message: Message) -> tuple[tuple[int, ...], int]:
    """The protocols that a tunnel is carried by, and its remote address; () and 0 of any other interface."""
    about = dict(attributes_in(message, len(rtnetlink.LINK_REQUEST))).get(_IFLA_LINKINFO, b"")
    told = dict(split(about, 0, len(about)))
    protocols, at = _TUNNELS.get(told.get(_INFO_KIND, b"").rstrip(b"\0").decode(errors="replace"), ((), 0))
    data = told.get(_INFO_DATA, b"")
    return protocols, int.from_bytes(dict(split(data, 0, len(data))).get(at, b""), "big")


def _state(message: Message) -> list[Taken]:
    """What an IPsec state takes. Those of packets that leave are among them: it is the router's all the same.

    Raises BadMessage.
    """
    if message.end - message.start < _STATE_SIZE:
        raise BadMessage("an IPsec state cut short")
    said = message.data[message.start : message.start + _STATE_SIZE]
    (source,) = struct.unpack_from("!I", said, _SOURCE_AT)
    (destination,) = struct.unpack_from("!I", said, _DESTINATION_AT)
    protocol = said[_PROTOCOL_AT]
    return [Taken(protocol, IPv4Address(each)) for each in (source, destination) if each]
