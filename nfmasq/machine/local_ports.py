"""The ports of the router's own sockets, and those the kernel takes for its own connections.

Nothing is stored. Every reading is made anew from /proc.
"""

from nfmasq.machine.sysctl import sysctl

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
    tcp, udp = (
        frozenset(
            port
            for name in (protocol, protocol + "6")
            for port in _ports_in(f"/proc/thread-self/net/{name}")
            if first <= port <= last
        )
        for protocol in ("tcp", "udp")
    )
    return tcp, udp


def _ports_in(path: str) -> set[int]:
    """The local ports listed in one of the kernel's socket tables; none if this kernel lacks the table."""
    try:
        with open(path, encoding="ascii") as file:
            next(file, None)
            return {int(line.split(maxsplit=2)[1].rpartition(":")[2], 16) for line in file}
    except FileNotFoundError:
        return set()
