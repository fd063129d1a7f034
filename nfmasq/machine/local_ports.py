"""The ports of the router's own sockets, and those the kernel takes for its own connections.

Nothing is stored. Every reading is made anew from the kernel. It takes half a millisecond by sock_diag; the
tables in /proc take seven, as the kernel walks through all of its hash table for them.
"""

import socket
import struct

from nfmasq.machine.netlink_dump import NetlinkDump
from nfmasq.machine.rtnetlink import BadMessage, Message
from nfmasq.machine.sysctl import sysctl

# linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG, _BY_FAMILY = 4, 20
_REQUEST = struct.Struct("=BB2xI48x")
_ALL_STATES = 0xFFFFFFFF
_PORT_AT = 4
"""Of the local port in a socket's description, in network byte order."""

DEFAULT_RANGE = 32768, 60999
"""Linux' own ip_local_port_range."""


def local_range() -> tuple[int, int]:
    """The first and the last port that the kernel gives to the router's own connections."""
    written = sysctl("net/ipv4/ip_local_port_range")
    if written is None:
        return DEFAULT_RANGE
    first, last = map(int, written.split())
    return first, last


def local_ports(first: int, last: int) -> tuple[frozenset[int], frozenset[int]]:
    """The ports from `first` to `last` that local sockets hold: (TCP, UDP).

    IPv6 sockets count too: one bound to the unspecified address takes IPv4 as well.
    """
    try:
        tcp, udp = map(_told_by_kernel, (socket.IPPROTO_TCP, socket.IPPROTO_UDP))
    except OSError:  # a kernel without inet_diag
        tcp, udp = map(_listed_in_proc, ("tcp", "udp"))
    return (
        frozenset(port for port in tcp if first <= port <= last),
        frozenset(port for port in udp if first <= port <= last),
    )


def _told_by_kernel(protocol: int) -> set[int]:
    """The local ports of a protocol's sockets, by sock_diag(7). Raises OSError where that is missing."""
    dump = NetlinkDump(_NETLINK_SOCK_DIAG)
    try:
        return {
            port
            for family in (socket.AF_INET, socket.AF_INET6)
            for port in dump.read(
                _BY_FAMILY, _REQUEST.pack(family, protocol, _ALL_STATES), _BY_FAMILY, _local_port
            )
        }
    finally:
        dump.close()


def _local_port(message: Message) -> int:
    """The port of one socket. Raises BadMessage."""
    if message.end - message.start < _PORT_AT + 2:
        raise BadMessage("a socket without a port")
    return int.from_bytes(message.data[message.start + _PORT_AT : message.start + _PORT_AT + 2], "big")


def _listed_in_proc(protocol: str) -> set[int]:
    return _ports_in(f"/proc/thread-self/net/{protocol}") | _ports_in(f"/proc/thread-self/net/{protocol}6")


def _ports_in(path: str) -> set[int]:
    """The local ports listed in one of the kernel's socket tables; none if this kernel lacks the table."""
    try:
        with open(path, encoding="ascii") as file:
            next(file, None)
            return {int(line.split(maxsplit=2)[1].rpartition(":")[2], 16) for line in file}
    except FileNotFoundError:
        return set()
