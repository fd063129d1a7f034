"""Attacks of one internal host on all others: packets that would use up what they share.

Each attack is a function from the attacker's address, its network and a server to packets. Nobody answers.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address

from support.packets import GRE, SYN, portless, query, tcp, udp

from hardening.pieces import cut, numbered

COUNT = 40_000
"""More than there are ports."""

Attack = Callable[[IPv4Address, IPv4Address], Iterator[bytes]]


def udp_from_every_port(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """A datagram from each of 40,000 ports."""
    for port in range(COUNT):
        yield udp(attacker, 2000 + port, server, 80)


def syns_from_every_port(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """A SYN from each of 40,000 ports."""
    for port in range(COUNT):
        yield tcp(attacker, 2000 + port, server, 80, SYN)


def spoofed(attacker: IPv4Address) -> Iterator[tuple[IPv4Address, int]]:
    """40,000 endpoints of 150 hosts that are not there."""
    for number in range(COUNT):
        yield attacker + 50 + number % 150, 2000 + number // 150


def syns_from_spoofed_sources(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """SYNs that no limit for one host stops."""
    for source, port in spoofed(attacker):
        yield tcp(source, port, server, 80, SYN)


def udp_from_spoofed_sources(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """Datagrams that no limit for one host stops."""
    for source, port in spoofed(attacker):
        yield udp(source, port, server, 80)


def pings_of_every_identifier(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """60,000 pings, as scanners send them."""
    for identifier in range(60_000):
        yield query(attacker, server, 1 + identifier)


def every_endpoint_from_one_port(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """One mapping, and a session for each of 60,000 ports of a server."""
    for port in range(60_000):
        yield udp(attacker, 2000, server, 1 + port)


def syns_to_every_host(attacker: IPv4Address, _: IPv4Address) -> Iterator[bytes]:
    """Handshakes with 40,000 hosts from one port, of which none is there."""
    for number in range(COUNT):
        yield tcp(attacker, 2000, IPv4Address("198.18.0.1") + number, 80, SYN)


def questions_to_a_name_server(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """DNS questions, each from another port."""
    for port in range(COUNT):
        yield udp(attacker, 2000 + port, server, 53)


def tunnels_to_every_host(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """GRE to the server and 40,000 other hosts: without ports one internal host has a remote host alone."""
    yield portless(attacker, server, GRE)
    for number in range(COUNT):
        yield portless(attacker, IPv4Address("198.18.0.1") + number, GRE)


def fragments_without_the_rest(attacker: IPv4Address, server: IPv4Address) -> Iterator[bytes]:
    """The first fragments of 10,000 datagrams."""
    whole = udp(attacker, 2000, server, 80, bytes(3000))
    for number in range(10_000):
        yield cut(numbered(whole, number + 1), 1400)[0]


ATTACKS: tuple[Attack, ...] = (
    udp_from_every_port,
    syns_from_every_port,
    syns_from_spoofed_sources,
    udp_from_spoofed_sources,
    pings_of_every_identifier,
    every_endpoint_from_one_port,
    syns_to_every_host,
    questions_to_a_name_server,
    tunnels_to_every_host,
)
"""Those that reach the table."""
