"""Packets that must be dropped, a case or more for each reason; test_reasons sends them."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import NamedTuple

from support.packets import (
    ACK,
    AH,
    ECHO_REPLY,
    FIN,
    GRE,
    REDIRECT,
    SYN,
    UDP,
    checksum,
    error,
    ip,
    portless,
    put,
    query,
    tcp,
    udp,
    word,
)
from support.router import (
    CLIENT,
    EXTERNAL,
    HOP,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    OTHER_SERVER,
    POLICY,
    SERVER,
    policy,
)

from nfmasq.core.policy import Filtering, Mapping, Policy, Uplink

LOOPBACK = IPv4Address("127.0.0.1")
MULTICAST = IPv4Address("224.0.0.251")
BROADCAST = IPv4Address("255.255.255.255")
THIS_NETWORK = IPv4Address("0.1.2.3")
STRANGER = IPv4Address("192.168.2.10")
"""In no network behind the router."""

FIRST_UDP = udp(CLIENT, 40000, SERVER, 53)
FIRST_TCP = tcp(CLIENT, 40000, SERVER, 80)
SECOND_TCP = tcp(CLIENT, 40001, SERVER, 80)
LOOSE_ROUTE = bytes([131, 7, 4, 0, 0, 0, 0, 0])
STRICT_ROUTE = bytes([137, 7, 4, 0, 0, 0, 0, 0])
ENDLESS_OPTION = bytes([7, 9, 4, 0, 0, 0, 0, 0])
EMPTY_OPTION = bytes([7, 1, 4, 0])
LONELY_OPTION = bytes([1, 1, 1, 7])

ELSEWHERE = {"message_invalid", "oversized", "helpers_busy"}
"""Reasons of the kernel's message, not of the packet: only a real queue can provoke them."""


class Case(NamedTuple):
    """A packet that must be dropped: what it is, the reason, what was before it, and the way it goes."""

    what: str
    reason: str
    packet: bytes | Callable[[int], bytes]
    before: "tuple[bytes | Callable[[int], bytes], ...]" = ()
    inbound: bool = False
    from_router: bool = False
    mark: int = 0
    device: int = 0
    rules: Policy = POLICY


def out(
    what: str, reason: str, packet: bytes, *before: bytes, rules: Policy = POLICY, router: bool = False
) -> Case:
    """One that leaves."""
    return Case(what, reason, packet, before, rules=rules, from_router=router)


def into(
    what: str,
    reason: str,
    packet: bytes | Callable[[int], bytes],
    *before: bytes | Callable[[int], bytes],
    rules: Policy = POLICY,
) -> Case:
    """One that comes in; a function makes it for the external port that the last packet out got.

    What comes in before it is made by a function too.
    """
    return Case(what, reason, packet, before, inbound=True, rules=rules)


def header(packet: bytes, at: int, new: bytes) -> bytes:
    """A packet whose IP header says something else, with the checksum of it right."""
    packet = put(put(packet, at, new), 10, b"\0\0")
    return put(packet, 10, word(checksum(packet[:20])))


CASES = [
    out("no bytes", "truncated", b""),
    out("half a header", "truncated", FIRST_UDP[:19]),
    out("a packet cut short", "truncated", FIRST_UDP[:-1]),
    out("half a TCP header", "truncated", ip(CLIENT, SERVER, 6, FIRST_TCP[20:39])),
    out("half a UDP header", "truncated", ip(CLIENT, SERVER, UDP, FIRST_UDP[20:27])),
    out("half an ICMP header", "truncated", ip(CLIENT, SERVER, 1, query(CLIENT, SERVER, 7)[20:27])),
    out("half a UDP-Lite header", "truncated", portless(CLIENT, SERVER, 136, bytes(7))),
    out("IPv6", "not_ipv4", b"\x60" + FIRST_UDP[1:]),
    out("version 0", "not_ipv4", b"\x05" + FIRST_UDP[1:]),
    out("a header of four words", "ip_header_invalid", b"\x44" + FIRST_UDP[1:]),
    out("a length below the header's", "ip_header_invalid", put(FIRST_UDP, 2, word(19))),
    out(
        "an option past the header",
        "ip_options_invalid",
        udp(CLIENT, 1, SERVER, 2, ip_options=ENDLESS_OPTION),
    ),
    out("an option of length 1", "ip_options_invalid", udp(CLIENT, 1, SERVER, 2, ip_options=EMPTY_OPTION)),
    out(
        "an option without a length",
        "ip_options_invalid",
        udp(CLIENT, 1, SERVER, 2, ip_options=LONELY_OPTION),
    ),
    out("a loose source route", "source_routed", udp(CLIENT, 1, SERVER, 2, ip_options=LOOSE_ROUTE)),
    out("a strict source route", "source_routed", tcp(CLIENT, 1, SERVER, 2, ip_options=STRICT_ROUTE)),
    into("a strict source route", "source_routed", tcp(SERVER, 1, EXTERNAL, 2, ip_options=STRICT_ROUTE)),
    out("a first fragment", "fragment", header(FIRST_UDP, 6, word(0x2000))),
    out("a last fragment", "fragment", header(FIRST_UDP, 6, word(0x00B9))),
    into("a fragment", "fragment", header(udp(SERVER, 1, EXTERNAL, 2), 6, word(0x20B9))),
    out("a TCP header of four words", "tcp_header_invalid", put(FIRST_TCP, 32, b"\x40")),
    out("a TCP header past the segment", "tcp_header_invalid", put(FIRST_TCP, 32, b"\x60")),
    out("no TCP flags", "tcp_flags_invalid", tcp(CLIENT, 1, SERVER, 2, 0)),
    out("all TCP flags", "tcp_flags_invalid", tcp(CLIENT, 1, SERVER, 2, 0xFF)),
    out("SYN and FIN", "tcp_flags_invalid", tcp(CLIENT, 1, SERVER, 2, SYN | FIN)),
    into("FIN alone", "tcp_flags_invalid", tcp(SERVER, 1, EXTERNAL, 2, FIN)),
    out("a UDP length of 7", "udp_length_invalid", put(FIRST_UDP, 24, word(7))),
    out("a UDP length past the packet", "udp_length_invalid", put(FIRST_UDP, 24, word(17))),
    out("UDP from port 0", "port_zero", udp(CLIENT, 0, SERVER, 53)),
    out("UDP to port 0", "port_zero", udp(CLIENT, 53, SERVER, 0)),
    out("TCP from port 0", "port_zero", tcp(CLIENT, 0, SERVER, 80)),
    out("TCP to port 0", "port_zero", tcp(CLIENT, 80, SERVER, 0)),
    into("UDP to port 0", "port_zero", udp(SERVER, 53, EXTERNAL, 0)),
    into(
        "an ICMP error with a wrong sum",
        "icmp_checksum_wrong",
        lambda near: put(error(HOP, EXTERNAL, udp(EXTERNAL, near, SERVER, 53)), 22, b"\x12\x34"),
        FIRST_UDP,
    ),
    out("a router advertisement", "icmp_type_unsupported", query(CLIENT, SERVER, 7, 9)),
    out("a source quench", "icmp_type_unsupported", error(CLIENT, SERVER, FIRST_UDP, 4)),
    into("a redirect", "icmp_type_unsupported", error(HOP, EXTERNAL, udp(EXTERNAL, 9, SERVER, 53), REDIRECT)),
    into(
        "an ICMP error that quotes seven bytes of UDP",
        "icmp_quote_truncated",
        lambda near: error(HOP, EXTERNAL, udp(EXTERNAL, near, SERVER, 53)[:27]),
        FIRST_UDP,
    ),
    into(
        "an ICMP error that quotes a later fragment",
        "icmp_quote_truncated",
        lambda near: error(HOP, EXTERNAL, header(udp(EXTERNAL, near, SERVER, 53), 6, word(5))),
        FIRST_UDP,
    ),
    into(
        "an ICMP error whose quoted header is damaged",
        "icmp_quote_invalid",
        lambda near: error(HOP, EXTERNAL, put(udp(EXTERNAL, near, SERVER, 53), 8, b"\x01")),
        FIRST_UDP,
    ),
    into(
        "an ICMP error that quotes IPv6",
        "icmp_quote_invalid",
        error(HOP, EXTERNAL, b"\x65" + bytes(47)),
    ),
    into(
        "an ICMP error about a packet of somebody else",
        "icmp_quote_invalid",
        lambda near: error(HOP, EXTERNAL, udp(OTHER_EXTERNAL, near, SERVER, 53)),
        FIRST_UDP,
    ),
    into(
        "an ICMP error about an ICMP error",
        "icmp_quote_invalid",
        lambda near: error(HOP, EXTERNAL, error(EXTERNAL, SERVER, udp(SERVER, 53, EXTERNAL, near))),
        FIRST_UDP,
    ),
    out("AH", "protocol_untranslatable", portless(CLIENT, SERVER, AH, bytes(24))),
    out("UDP while there is no address", "no_external_address", FIRST_UDP, rules=policy(external=())),
    out(
        "GRE while there is no address",
        "no_external_address",
        portless(CLIENT, SERVER),
        rules=policy(external=()),
    ),
    out("a source of no network behind", "source_not_internal", udp(STRANGER, 40000, SERVER, 53)),
    out("the external address from inside", "source_not_internal", udp(EXTERNAL, 40000, SERVER, 53)),
    out("loopback from inside", "source_not_internal", tcp(LOOPBACK, 40000, SERVER, 53)),
    into("loopback from outside", "source_martian", udp(LOOPBACK, 53, EXTERNAL, 40000)),
    into("this network from outside", "source_martian", query(THIS_NETWORK, EXTERNAL, 7)),
    into("multicast from outside", "source_martian", portless(MULTICAST, EXTERNAL, GRE)),
    into("broadcast from outside", "source_martian", tcp(BROADCAST, 80, EXTERNAL, 40000)),
    into(
        "a martian's error about a session",
        "source_martian",
        lambda near: error(LOOPBACK, EXTERNAL, udp(EXTERNAL, near, SERVER, 53)),
        FIRST_UDP,
    ),
    into("an internal source over UDP", "source_internal", udp(CLIENT, 53, EXTERNAL, 40000)),
    into("an internal source that pings", "source_internal", query(CLIENT, EXTERNAL, 7)),
    into("an internal source that answers", "source_internal", query(CLIENT, EXTERNAL, 7, ECHO_REPLY)),
    into("an internal source over GRE", "source_internal", portless(CLIENT, EXTERNAL, GRE)),
    into(
        "an internal source's error about no session",
        "source_internal",
        lambda near: error(CLIENT, EXTERNAL, udp(EXTERNAL, near, SERVER, 54)),
        FIRST_UDP,
    ),
    into("a packet to itself (LAND)", "source_ours", tcp(EXTERNAL, 40000, EXTERNAL, 40000)),
    into("our own ping", "source_ours", query(EXTERNAL, EXTERNAL, 7)),
    into(
        "our own error about no session",
        "source_ours",
        lambda near: error(EXTERNAL, EXTERNAL, udp(EXTERNAL, near, SERVER, 54)),
        FIRST_UDP,
    ),
    out("UDP to a multicast group", "destination_martian", udp(CLIENT, 40000, MULTICAST, 5353)),
    out("UDP to everybody", "destination_martian", udp(CLIENT, 40000, BROADCAST, 67)),
    out("TCP to loopback", "destination_martian", tcp(CLIENT, 40000, LOOPBACK, 80)),
    out("a ping of this network", "destination_martian", query(CLIENT, THIS_NETWORK, 7)),
    out("UDP to another internal host", "destination_internal", udp(CLIENT, 40000, OTHER_CLIENT, 53)),
    into(
        "UDP straight to an internal host", "destination_internal", udp(SERVER, 53, CLIENT, 40000), FIRST_UDP
    ),
    into("TCP straight to an internal host", "destination_internal", tcp(SERVER, 80, CLIENT, 22)),
    into("a ping straight to an internal host", "destination_internal", query(SERVER, CLIENT, 7)),
    into(
        "a reply straight to an internal host", "destination_internal", query(SERVER, CLIENT, 7, ECHO_REPLY)
    ),
    into(
        "ICMP of any kind straight to an internal host", "destination_internal", query(SERVER, CLIENT, 7, 9)
    ),
    into("GRE straight to an internal host", "destination_internal", portless(SERVER, CLIENT, GRE)),
    into(
        "an error straight to an internal host",
        "destination_internal",
        error(HOP, CLIENT, FIRST_UDP),
        FIRST_UDP,
    ),
    into("UDP to a port that nobody uses", "no_mapping", udp(SERVER, 53, EXTERNAL, 40000)),
    into("a SYN to a port that nobody uses", "no_mapping", tcp(SERVER, 80, EXTERNAL, 40000)),
    into(
        "TCP to a port that UDP uses", "no_mapping", lambda near: tcp(SERVER, 53, EXTERNAL, near), FIRST_UDP
    ),
    into("UDP from a stranger", "filtered", lambda near: udp(OTHER_SERVER, 53, EXTERNAL, near), FIRST_UDP),
    into("a SYN from a stranger", "filtered", lambda near: tcp(OTHER_SERVER, 80, EXTERNAL, near), FIRST_TCP),
    out("an ACK of no connection", "tcp_no_session", tcp(CLIENT, 40000, SERVER, 80, ACK)),
    out("a SYN+ACK of no connection", "tcp_no_session", tcp(CLIENT, 40000, SERVER, 80, SYN | ACK)),
    into(
        "an ACK of no connection, from a known host",
        "tcp_no_session",
        lambda near: tcp(SERVER, 81, EXTERNAL, near, ACK),
        FIRST_TCP,
    ),
    out("a reply that nobody asked for", "icmp_no_session", query(CLIENT, SERVER, 7, ECHO_REPLY)),
    out(
        "an error about a packet that never came",
        "icmp_error_unmatched",
        error(CLIENT, SERVER, udp(SERVER, 53, CLIENT, 40000)),
    ),
    out(
        "the router's error about a forgotten session",
        "icmp_error_unmatched",
        error(EXTERNAL, SERVER, udp(SERVER, 53, CLIENT, 40000)),
        router=True,
    ),
    into(
        "an error about a forgotten session",
        "icmp_error_unmatched",
        error(HOP, EXTERNAL, udp(EXTERNAL, 1024, SERVER, 53)),
    ),
    out("one session too many", "sessions_full", FIRST_TCP, FIRST_UDP, rules=policy(sessions=1)),
    into(
        "one session too many",
        "sessions_full",
        lambda near: udp(SERVER, 54, EXTERNAL, near),
        FIRST_UDP,
        rules=policy(sessions=1),
    ),
    out(
        "one session too many of a host",
        "host_sessions_full",
        FIRST_TCP,
        FIRST_UDP,
        rules=policy(sessions_per_host=1),
    ),
    out(
        "one port too many of a host", "host_ports_full", FIRST_TCP, FIRST_UDP, rules=policy(ports_per_host=1)
    ),
    out(
        "a port too many",
        "ports_exhausted",
        udp(OTHER_CLIENT, 40000, SERVER, 53),
        FIRST_UDP,
        rules=policy(ports=((5000, 5000),)),
    ),
    out(
        "a second tunnel to one place",
        "portless_remote_taken",
        portless(OTHER_CLIENT, SERVER, GRE),
        portless(CLIENT, SERVER, GRE),
    ),
    into(
        "a segment nobody can have sent",
        "tcp_out_of_window",
        lambda near: tcp(SERVER, 80, EXTERNAL, near, ACK, sequence=1 << 20),
        FIRST_TCP,
        lambda near: tcp(SERVER, 80, EXTERNAL, near, SYN | ACK),
    ),
    into(
        "an error about a segment nobody sent",
        "icmp_quote_out_of_window",
        lambda near: error(HOP, EXTERNAL, tcp(EXTERNAL, near, SERVER, 80, ACK, sequence=1 << 20)),
        FIRST_TCP,
    ),
    Case(
        "a second pass without a first one",
        "hairpin_lost",
        udp(CLIENT, 40000, OTHER_CLIENT, 5000),
        mark=0x80000001,
        rules=policy(device=3),
    ),
    Case(
        "a segment that leaves by another uplink",
        "other_uplink",
        tcp(CLIENT, 40000, SERVER, 80, ACK),
        (FIRST_TCP, lambda near: tcp(SERVER, 80, EXTERNAL, near, SYN | ACK)),
        device=4,
        rules=policy(uplinks=(Uplink.pool(EXTERNAL, index=3), Uplink.pool(OTHER_EXTERNAL, index=4))),
    ),
    out("a handshake too many", "half_open_full", SECOND_TCP, FIRST_TCP, rules=policy(half_open=1)),
    out(
        "a handshake too many of a host",
        "host_half_open_full",
        SECOND_TCP,
        FIRST_TCP,
        rules=policy(half_open_per_host=1),
    ),
    out("too many at once", "rate_exceeded", FIRST_UDP, FIRST_TCP, rules=policy(new_per_second=1)),
    out(
        "too many of a host at once",
        "host_rate_exceeded",
        FIRST_UDP,
        FIRST_TCP,
        rules=policy(new_per_second_per_host=1),
    ),
    into(
        "a remote endpoint spoken to already, by another mapping",
        "session_clash",
        lambda near: udp(SERVER, 53, EXTERNAL, near),
        FIRST_UDP,
        udp(CLIENT, 40000, OTHER_SERVER, 53),
        rules=policy(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, filtering=Filtering.ENDPOINT_INDEPENDENT),
    ),
]
