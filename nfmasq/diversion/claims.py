"""Which packets the forwards claim, and whether before the router's own sockets or after them.

A forward that names ports or an external address is stronger than a local socket, as a DNAT rule would be. A
forward of everything on every address (the default host) gets what no local socket takes. Of the protocols
only TCP and UDP matter here: whatever has no ports is diverted in any case.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from socket import IPPROTO_TCP, IPPROTO_UDP

from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward

Span = tuple[int, int]
"""First and last port, both included."""

TRANSPORTS = {"tcp": IPPROTO_TCP, "udp": IPPROTO_UDP}


@dataclass(frozen=True)
class Claims:
    """What forwards take, merged and in order. Protocols are "tcp" and "udp".

    whole: addresses given away with everything sent to them. at: (address, protocol, ports) of one address.
    everywhere: (protocol, ports) of all external addresses. default_host: protocols whose every port goes
    to the default host, but for the local sockets' ports.
    """

    whole: tuple[IPv4Address, ...]
    at: tuple[tuple[IPv4Address, str, tuple[Span, ...]], ...]
    everywhere: tuple[tuple[str, tuple[Span, ...]], ...]
    default_host: tuple[str, ...]


def claimed_by(forwards: Iterable[Forward]) -> Claims:
    """What these forwards take."""
    whole: set[IPv4Address] = set()
    spans: dict[tuple[IPv4Address | None, str], list[Span]] = {}
    default_host: set[str] = set()
    for forward in forwards:
        everything = forward.ports == ALL_PORTS
        if everything and forward.protocol == ANY_PROTOCOL and forward.external is not None:
            whole.add(forward.external)
            continue
        for name, number in TRANSPORTS.items():
            if forward.protocol not in {number, ANY_PROTOCOL}:
                continue
            if everything and forward.external is None:
                default_host.add(name)
            else:
                spans.setdefault((forward.external, name), []).append(forward.ports)
    merged = {key: merge(ports) for key, ports in spans.items()}
    return Claims(
        whole=tuple(sorted(whole)),
        at=tuple(
            (address, name, merged[address, name])
            for address, name in sorted((a, n) for a, n in merged if a is not None)
            if address not in whole
        ),
        everywhere=tuple((name, merged[None, name]) for name in TRANSPORTS if (None, name) in merged),
        default_host=tuple(name for name in TRANSPORTS if name in default_host),
    )


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same ports in the fewest spans, in order."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)
