"""The lab's packets as the tests of the core write them: addresses and ports in a row, fixed defaults.

Every function returns a whole IPv4 packet, its lengths and checksums right.
"""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.lab import packets as lab
from nfmasq.lab.packets import (
    ACK,
    AH,
    CHECK_AT,
    DCCP,
    ECHO,
    ECHO_REPLY,
    ESP,
    EXCEEDED,
    FIN,
    GRE,
    HEADER,
    ICMP,
    PSH,
    REDIRECT,
    RST,
    SYN,
    TCP,
    TIMESTAMP,
    TIMESTAMP_REPLY,
    UDP,
    UDPLITE,
    UNREACHABLE,
    URG,
    checksum,
    ip_sum_is_right,
    l4_at,
    pseudo_header,
    put,
    summed,
    transport_sum_is_right,
    word,
)
from nfmasq.lab.packets import PROBLEM as PARAMETER_PROBLEM

__all__ = [
    "ACK",
    "AH",
    "CHECK_AT",
    "DCCP",
    "ECHO",
    "ECHO_REPLY",
    "ESP",
    "EXCEEDED",
    "FIN",
    "GRE",
    "HEADER",
    "ICMP",
    "PARAMETER_PROBLEM",
    "PSH",
    "REDIRECT",
    "RST",
    "START",
    "SYN",
    "TCP",
    "TIMESTAMP",
    "TIMESTAMP_REPLY",
    "UDP",
    "UDPLITE",
    "UNREACHABLE",
    "URG",
    "Seen",
    "call",
    "checksum",
    "error",
    "ip",
    "ip_sum_is_right",
    "key_of",
    "l4_at",
    "portless",
    "pseudo_header",
    "put",
    "query",
    "quote_of",
    "read",
    "summed",
    "sums_are_right",
    "tcp",
    "udp",
    "word",
]

START = 7
"""The sequence number of a SYN, where none is told."""

_TTL, _IDENTIFICATION = 63, 0x1234


def ip(
    source: IPv4Address,
    destination: IPv4Address,
    protocol: int,
    payload: bytes,
    *,
    options: bytes = b"",
    fragment: int = lab.DF,
    ttl: int = _TTL,
) -> bytes:
    """An IP header (RFC 791) before a payload."""
    return lab.ip(
        source,
        destination,
        protocol,
        payload,
        options=options,
        fragment=fragment,
        ttl=ttl,
        identification=_IDENTIFICATION,
    )


def tcp(
    source: IPv4Address,
    source_port: int,
    destination: IPv4Address,
    destination_port: int,
    flags: int = SYN,
    *,
    payload: bytes = b"",
    options: bytes = b"",
    ip_options: bytes = b"",
    sequence: int | None = None,
    acked: int = START + 1,
    window: int = 64000,
    urgent: int = 0,
) -> bytes:
    """A TCP segment (RFC 9293). Both sides begin at START and, unless told, are where their SYN left them."""
    if sequence is None:
        sequence = START + (not flags & SYN)
    return lab.tcp(
        (source, source_port),
        (destination, destination_port),
        flags,
        sequence,
        acked,
        payload=payload,
        options=options,
        window=window,
        urgent=urgent,
        ip_options=ip_options,
        ttl=_TTL,
        identification=_IDENTIFICATION,
    )


def udp(
    source: IPv4Address,
    source_port: int,
    destination: IPv4Address,
    destination_port: int,
    payload: bytes = b"question",
    *,
    without_sum: bool = False,
    ip_options: bytes = b"",
) -> bytes:
    """A UDP datagram (RFC 768); without_sum: its checksum field is zero."""
    return lab.udp(
        (source, source_port),
        (destination, destination_port),
        payload,
        without_sum=without_sum,
        options=ip_options,
        ttl=_TTL,
        identification=_IDENTIFICATION,
    )


def query(
    source: IPv4Address,
    destination: IPv4Address,
    identifier: int,
    kind: int = ECHO,
    payload: bytes = b"abcdefgh",
) -> bytes:
    """An ICMP query or, with the kind of one, a reply (RFC 792)."""
    ends = (source, identifier), (destination, identifier)
    return lab.query(*ends, kind, payload, ttl=_TTL, identification=_IDENTIFICATION)


def error(
    source: IPv4Address,
    destination: IPv4Address,
    quoted: bytes,
    kind: int = EXCEEDED,
    code: int = 0,
    *,
    rest: int = 0,
) -> bytes:
    """An ICMP error that quotes these bytes; `rest` is the header's last word."""
    more = {"ttl": _TTL, "identification": _IDENTIFICATION}
    return lab.error(source, destination, quoted, kind, code, rest=rest, **more)


def portless(
    source: IPv4Address, destination: IPv4Address, protocol: int = GRE, payload: bytes = b"tunnel  "
) -> bytes:
    """A packet of a protocol without ports."""
    return ip(source, destination, protocol, payload)


def call(
    source: IPv4Address, destination: IPv4Address, key: int, payload: bytes = b"\xff\x03\xc0\x21"
) -> bytes:
    """A packet of a call: GRE of version 1 that carries PPP and its receiver's call id (RFC 2637)."""
    header = struct.pack("!BBHHHI", 0x30, 0x81, 0x880B, len(payload), key, START) + bytes(4)
    return ip(source, destination, GRE, header + payload)


def key_of(packet: bytes) -> int:
    """The call id that a packet of a call carries."""
    return int.from_bytes(packet[l4_at(packet) :][6:8])


class Seen(NamedTuple):
    """A packet's endpoints; an ICMP query's identifier counts as both ports, other protocols have 0."""

    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int


def read(packet: bytes) -> Seen:
    """The endpoints of a well-formed packet."""
    seen = lab.read(packet)
    return Seen(*seen.source, *seen.destination)


def quote_of(packet: bytes) -> bytes:
    """What an ICMP error quotes, to its end."""
    return packet[l4_at(packet) + 8 :]


def sums_are_right(packet: bytes) -> bool:
    """Are the IP header's checksum and that of TCP, UDP or ICMP right? UDP's zero is."""
    without = packet[9] == UDP and packet[l4_at(packet) :][6:8] == b"\0\0"
    return ip_sum_is_right(packet) and (without or transport_sum_is_right(packet))
