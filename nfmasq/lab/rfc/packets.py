"""The packets of the checks, made byte by byte, and read again.

An endpoint is an address and a port, or the identifier of an ICMP query. Every function that makes a packet
returns a whole IPv4 packet whose lengths and checksums are right.
"""

import struct
from ipaddress import IPv4Address
from itertools import count
from typing import Any, NamedTuple

Endpoint = tuple[IPv4Address, int]

ICMP, TCP, UDP, GRE = 1, 6, 17, 47
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
ECHO_REPLY, UNREACHABLE, QUENCH, REDIRECT, ECHO, EXCEEDED, PROBLEM = 0, 3, 4, 5, 8, 11, 12
TIMESTAMP, TIMESTAMP_REPLY, MASK, MASK_REPLY = 13, 14, 17, 18
ERRORS = (UNREACHABLE, QUENCH, REDIRECT, EXCEEDED, PROBLEM)
NET, HOST, PORT, TOO_BIG, PROHIBITED = 0, 1, 3, 4, 13
"""Codes of ICMP destination unreachable."""

DF, MF = 0x4000, 0x2000
_CHECKSUM_AT = {ICMP: 2, TCP: 16, UDP: 6}
_identification = count(1)


def checksum(data: bytes) -> int:
    """The Internet checksum, complemented (RFC 1071); 0 of data whose checksum is right."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def word_at(data: bytes, at: int) -> int:
    """Two bytes in network order."""
    return int.from_bytes(data[at : at + 2])


def replaced(data: bytes, at: int, new: bytes) -> bytes:
    """The same bytes, some of them others."""
    return data[:at] + new + data[at + len(new) :]


def ip(
    source: IPv4Address,
    destination: IPv4Address,
    protocol: int,
    payload: bytes,
    *,
    options: bytes = b"",
    flags: int = DF,
    ttl: int = 64,
    identification: int | None = None,
) -> bytes:
    """An IPv4 header before a payload; flags: those and the fragment offset, as they lie in the header."""
    length = 20 + len(options)
    number = next(_identification) & 0xFFFF if identification is None else identification
    front = struct.pack(
        "!BBHHHBBH", 0x40 + length // 4, 0, length + len(payload), number, flags, ttl, protocol, 0
    )
    header = front + source.packed + destination.packed + options
    return replaced(header, 10, checksum(header).to_bytes(2)) + payload


def summed(source: IPv4Address, destination: IPv4Address, protocol: int, segment: bytes) -> bytes:
    """A transport segment with its checksum filled in."""
    at = _CHECKSUM_AT[protocol]
    front = b""
    if protocol != ICMP:
        front = source.packed + destination.packed + struct.pack("!HH", protocol, len(segment))
    return replaced(segment, at, (checksum(front + segment) or 0xFFFF).to_bytes(2))


def udp(source: Endpoint, destination: Endpoint, payload: bytes = b"question", **header: Any) -> bytes:
    """A UDP datagram; further arguments are those of `ip`."""
    datagram = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    return ip(source[0], destination[0], UDP, summed(source[0], destination[0], UDP, datagram), **header)


def tcp(
    source: Endpoint,
    destination: Endpoint,
    flags: int,
    sequence: int = 0,
    acknowledged: int = 0,
    *,
    payload: bytes = b"",
    options: bytes = b"",
) -> bytes:
    """A TCP segment with a window of 64000 bytes."""
    offset = (20 + len(options)) << 2
    front = struct.pack(
        "!HHIIBBHHH",
        source[1],
        destination[1],
        sequence % (1 << 32),
        acknowledged % (1 << 32),
        offset,
        flags,
        64000,
        0,
        0,
    )
    segment = summed(source[0], destination[0], TCP, front + options + payload)
    return ip(source[0], destination[0], TCP, segment)


def query(source: Endpoint, destination: Endpoint, kind: int = ECHO, payload: bytes = b"abcdefgh") -> bytes:
    """An ICMP query or reply; the identifier is the source's port, or the destination's if that is 0."""
    identifier = source[1] or destination[1]
    message = struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + payload
    return ip(source[0], destination[0], ICMP, summed(source[0], destination[0], ICMP, message))


def error(
    source: IPv4Address,
    destination: IPv4Address,
    quoted: bytes,
    kind: int = UNREACHABLE,
    code: int = PORT,
    *,
    rest: int = 0,
    ttl: int = 64,
) -> bytes:
    """An ICMP error that quotes these bytes; rest: the last word of its header."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + quoted
    return ip(source, destination, ICMP, summed(source, destination, ICMP, message), ttl=ttl)


class Seen(NamedTuple):
    """A packet, read. icmp: type and code, or (-1, -1). A query's identifier counts as both its ports."""

    protocol: int
    source: Endpoint
    destination: Endpoint
    flags: int
    icmp: tuple[int, int]
    payload: bytes

    @property
    def quoted(self) -> "Seen":
        """The packet that an ICMP error quotes."""
        return read(self.payload)


def read(packet: bytes) -> Seen:
    """The endpoints and the payload of a well-formed packet."""
    at = (packet[0] & 15) * 4
    protocol, segment = packet[9], packet[at : max(word_at(packet, 2), at)]
    if protocol == ICMP:
        kind, code = segment[0], segment[1]
        ports = (0, 0) if kind in ERRORS else (word_at(segment, 4),) * 2
        flags, icmp, payload = 0, (kind, code), segment[8:]
    else:
        ports = (word_at(segment, 0), word_at(segment, 2)) if protocol in (TCP, UDP) else (0, 0)
        flags = segment[13] if protocol == TCP and len(segment) > 13 else 0
        begin = (segment[12] >> 4) * 4 if protocol == TCP and len(segment) > 12 else 8
        icmp, payload = (-1, -1), segment[begin:]
    source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    return Seen(protocol, (source, ports[0]), (destination, ports[1]), flags, icmp, payload)


def sums_are_right(packet: bytes) -> bool:
    """Are the checksums of the IP header and of TCP, UDP or ICMP right?"""
    at = (packet[0] & 15) * 4
    protocol, segment = packet[9], packet[at : word_at(packet, 2)]
    front = b""
    if protocol != ICMP:
        front = packet[12:20] + struct.pack("!HH", protocol, len(segment))
    return checksum(packet[:at]) == 0 and checksum(front + segment) == 0
