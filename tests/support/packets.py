"""Packets made by hand, byte by byte, so that a test can get any part of them wrong.

Every function returns a whole IPv4 packet, its lengths and checksums right. Ports and identifiers are
integers.
"""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

ICMP, TCP, UDP, DCCP, GRE, ESP, AH, UDPLITE = 1, 6, 17, 33, 47, 50, 51, 136
FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ECHO_REPLY, UNREACHABLE, REDIRECT, ECHO, EXCEEDED, PARAMETER_PROBLEM = 0, 3, 5, 8, 11, 12
TIMESTAMP, TIMESTAMP_REPLY = 13, 14
START = 7
"""The sequence number of a SYN, where none is told."""
HEADER = 20
"""Bytes of an IP header without options, and of a TCP header without options."""

CHECK_AT = {TCP: 16, UDP: 6, DCCP: 6, UDPLITE: 6, ICMP: 2}
"""Where the checksum lies in each transport header."""


def checksum(data: bytes) -> int:
    """The Internet checksum as it is written into a header, the slow obvious way (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo_header(source: IPv4Address, destination: IPv4Address, protocol: int, length: int) -> bytes:
    """What TCP, UDP, UDP-Lite and DCCP sum besides themselves."""
    return source.packed + destination.packed + struct.pack("!HH", protocol, length)


def put(data: bytes, at: int, new: bytes) -> bytes:
    """The same bytes with some of them replaced."""
    return data[:at] + new + data[at + len(new) :]


def word(value: int) -> bytes:
    """Two bytes in network order."""
    return struct.pack("!H", value)


def ip(
    source: IPv4Address,
    destination: IPv4Address,
    protocol: int,
    payload: bytes,
    *,
    options: bytes = b"",
    fragment: int = 0x4000,
    ttl: int = 63,
) -> bytes:
    """An IP header (RFC 791) before a payload."""
    length = HEADER + len(options) + len(payload)
    front = struct.pack(
        "!BBHHHBB", 0x40 + (HEADER + len(options)) // 4, 0, length, 0x1234, fragment, ttl, protocol
    )
    addresses = source.packed + destination.packed
    check = checksum(front + b"\0\0" + addresses + options)
    return front + word(check) + addresses + options + payload


def summed(
    source: IPv4Address, destination: IPv4Address, protocol: int, segment: bytes, cover: int | None = None
) -> bytes:
    """A segment with its checksum over itself (its first `cover` bytes) and the pseudo-header."""
    at = CHECK_AT[protocol]
    segment = put(segment, at, b"\0\0")
    check = checksum(pseudo_header(source, destination, protocol, len(segment)) + segment[:cover])
    if check == 0 and protocol in (UDP, UDPLITE):
        check = 0xFFFF
    return put(segment, at, word(check))


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
) -> bytes:
    """A TCP segment (RFC 9293). Both sides begin at START and, unless told, are where their SYN left them."""
    if sequence is None:
        sequence = START + (not flags & SYN)
    offset = (HEADER + len(options)) << 2
    front = struct.pack(
        "!HHIIBBHHH", source_port, destination_port, sequence, acked, offset, flags, window, 0, 0
    )
    segment = summed(source, destination, TCP, front + options + payload)
    return ip(source, destination, TCP, segment, options=ip_options)


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
    datagram = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    if not without_sum:
        datagram = summed(source, destination, UDP, datagram)
    return ip(source, destination, UDP, datagram, options=ip_options)


def query(
    source: IPv4Address,
    destination: IPv4Address,
    identifier: int,
    kind: int = ECHO,
    payload: bytes = b"abcdefgh",
) -> bytes:
    """An ICMP query or, with the kind of one, a reply (RFC 792)."""
    message = struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + payload
    return ip(source, destination, ICMP, put(message, 2, word(checksum(message))))


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
    message = struct.pack("!BBHI", kind, code, 0, rest) + quoted
    return ip(source, destination, ICMP, put(message, 2, word(checksum(message))))


def portless(
    source: IPv4Address, destination: IPv4Address, protocol: int = GRE, payload: bytes = b"tunnel  "
) -> bytes:
    """A packet of a protocol without ports."""
    return ip(source, destination, protocol, payload)


class Seen(NamedTuple):
    """A packet's endpoints; an ICMP query's identifier counts as both ports, other protocols have 0."""

    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int


def l4_at(packet: bytes) -> int:
    """Where the transport header begins."""
    return (packet[0] & 15) * 4


def read(packet: bytes) -> Seen:
    """The endpoints of a well-formed packet."""
    at = l4_at(packet)
    ports = (0, 0)
    if packet[9] in (TCP, UDP):
        ports = struct.unpack_from("!HH", packet, at)
    elif packet[9] == ICMP:
        ports = struct.unpack_from("!H", packet, at + 4) * 2
    return Seen(IPv4Address(packet[12:16]), ports[0], IPv4Address(packet[16:20]), ports[1])


def quote_of(packet: bytes) -> bytes:
    """What an ICMP error quotes, to its end."""
    return packet[l4_at(packet) + 8 :]


def ip_sum_is_right(packet: bytes) -> bool:
    """Is the IP header's checksum right?"""
    return checksum(packet[: l4_at(packet)]) == 0


def sums_are_right(packet: bytes) -> bool:
    """Are the IP header's checksum and that of TCP, UDP or ICMP right? UDP's zero is."""
    at = l4_at(packet)
    protocol, segment = packet[9], packet[at:]
    if protocol == UDP and segment[6:8] == b"\0\0":
        return ip_sum_is_right(packet)
    front = b""
    if protocol != ICMP:
        front = pseudo_header(IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), protocol, len(segment))
    return ip_sum_is_right(packet) and checksum(front + segment) == 0
