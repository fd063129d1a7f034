"""What the core must know of the configuration, as plain data.

The daemon makes a Policy out of the config file and of what the uplink is now, and hands it to
`Table.configure`, which takes it over between two batches of packets. Nothing here is per packet.
"""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network

TRANSPORTS = ("tcp", "udp", "icmp", "other")
"""The protocol classes nfmasq tells apart, in the order of their numbers in the core and in metrics."""


class Filtering(IntEnum):
    """Which outside packets an existing mapping lets in (RFC 4787 section 5)."""

    ENDPOINT_INDEPENDENT = 0
    ADDRESS_DEPENDENT = 1
    ADDRESS_AND_PORT_DEPENDENT = 2


@dataclass(frozen=True)
class Timeouts:
    """Idle seconds after which a session ends (RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2)."""

    udp: int = 300
    tcp_established: int = 7440
    tcp_transitory: int = 240
    icmp: int = 60
    other: int = 300


@dataclass(frozen=True)
class Policy:
    """The rules the core decides by.

    external: the addresses the internal hosts appear as; empty while the uplink has none.
    internal: the networks behind the router; a source outside them is spoofed.
    ports:    first and last external port handed out, both included.
    reserved_tcp, reserved_udp: ports of that range which a local socket holds: never handed out.
    """

    external: tuple[IPv4Address, ...]
    internal: tuple[IPv4Network, ...]
    ports: tuple[int, int] = (1024, 32767)
    filtering_tcp: Filtering = Filtering.ADDRESS_DEPENDENT
    filtering_udp: Filtering = Filtering.ADDRESS_DEPENDENT
    timeouts: Timeouts = Timeouts()
    sessions: int = 1_000_000
    sessions_per_host: int = 0
    ports_per_host: int = 0
    reserved_tcp: frozenset[int] = frozenset()
    reserved_udp: frozenset[int] = frozenset()
