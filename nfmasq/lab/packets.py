"""IPv4 packets, made byte by byte and read again: those of the lab, the bench and the tests.

An endpoint is an address and a port, or the identifier of an ICMP query. Numbers are integers in host order.
Every function that makes a packet returns a whole IPv4 packet (RFC 791), its lengths and checksums right.
Nothing here uses the core, so the core can be tested with it.
"""

import struct
from ipaddress import IPv4Address
from itertools import count
from typing import Any, NamedTuple

Endpoint = tuple[IPv4Address, int]

ICMP, TCP, UDP, DCCP, GRE, ESP, AH, UDPLITE = 1, 6, 17, 33, 47, 50, 51, 136
FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ECHO_REPLY, UNREACHABLE, QUENCH, REDIRECT, ECHO, EXCEEDED, PROBLEM = 0, 3, 4, 5, 8, 11, 12
TIMESTAMP, TIMESTAMP_REPLY, MASK, MASK_REPLY = 13, 14, 17, 18
ERRORS = (UNREACHABLE, QUENCH, REDIRECT, EXCEEDED, PROBLEM)
NET, HOST, PORT, TOO_BIG, PROHIBITED = 0, 1, 3, 4, 13
"""Codes of ICMP destination unreachable."""

HEADER = 20
"""Bytes of an IP header without options, and of a TCP header without options."""
DF, MF = 0x4000, 0x2000
CHECK_AT = {TCP: 16, UDP: 6, DCCP: 6, UDPLITE: 6, ICMP: 2}
"""Where the checksum lies in each transport header."""

_identification = count(1)


def checksum(data: bytes) -> int:
    """The Internet checksum as it is written into a header (RFC 1071); 0 of data whose checksum is right."""
    number = int.from_bytes(data + b"\0" * (len(data) % 2))
    # The sum of all words, carries added in, is the number itself modulo 0xFFFF; only zeros sum up to 0.
    return 0xFFFF ^ (number % 0xFFFF or (0xFFFF if number else 0))


def pseudo_header(source: IPv4Address, destination: IPv4Address, protocol: int, length: int) -> bytes:
    """The pseudo-header that TCP, UDP, UDP-Lite and DCCP sum too; length: of transport header and payload."""
    return source.packed + destination.packed + struct.pack("!HH", protocol, length)


def word(value: int) -> bytes:
    """Two bytes in network order."""
    return value.to_bytes(2)


def word_at(data: bytes, at: int) -> int:
    """The number that two bytes in network order are."""
    return int.from_bytes(data[at : at + 2])


def put(data: bytes, at: int, new: bytes) -> bytes:
    """The same bytes, with new ones at that place."""
    return data[:at] + new + data[at + len(new) :]


def ip(
    source: IPv4Address,
    destination: IPv4Address,
    protocol: int,
    payload: bytes,
    *,
    options: bytes = b"",
    fragment: int = DF,
    ttl: int = 64,
    identification: int | None = None,
) -> bytes:
    """An IPv4 header before a payload.

    options: a multiple of four bytes. fragment: flags and fragment offset, as they lie in the header.
    identification: None: another one each time.
    """
    length = HEADER + len(options)
    number = next(_identification) & 0xFFFF if identification is None else identification
    front = struct.pack(
        "!BBHHHBBH", 0x40 + length // 4, 0, length + len(payload), number, fragment, ttl, protocol, 0
    )
    header = front + source.packed + destination.packed + options
    return put(header, 10, word(checksum(header))) + payload


def summed(
    source: IPv4Address,
    destination: IPv4Address,
    protocol: int,
    segment: bytes,
    *,
    cover: int | None = None,
    finished: bool = True,
) -> bytes:
    """A transport segment, or an ICMP message, with its checksum filled in.

    cover: the first bytes of the segment that are summed; None: all (UDP-Lite, DCCP: RFC 3828, RFC 4340).
    finished: False: the pseudo-header's sum alone stands there, as where a device is still to complete it.
    """
    at = CHECK_AT[protocol]
    front = b"" if protocol == ICMP else pseudo_header(source, destination, protocol, len(segment))
    if not finished:
        return put(segment, at, word(0xFFFF ^ checksum(front)))
    check = checksum(front + put(segment, at, b"\0\0")[:cover])
    if check == 0 and protocol in (UDP, UDPLITE):
        check = 0xFFFF  # 0 says that there is no checksum (RFC 768)
    return put(segment, at, word(check))


def udp(
    source: Endpoint,
    destination: Endpoint,
    payload: bytes = b"question",
    *,
    without_sum: bool = False,
    **header: Any,
) -> bytes:
    """A UDP datagram (RFC 768); without_sum: its checksum field is 0; further arguments are those of `ip`."""
    datagram = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    if not without_sum:
        datagram = summed(source[0], destination[0], UDP, datagram)
    return ip(source[0], destination[0], UDP, datagram, **header)


def tcp(
    source: Endpoint,
    destination: Endpoint,
    flags: int,
    sequence: int = 0,
    acknowledged: int = 0,
    *,
    payload: bytes = b"",
    options: bytes = b"",
    window: int = 64000,
    urgent: int = 0,
    finished: bool = True,
    ip_options: bytes = b"",
    **header: Any,
) -> bytes:
    """A TCP segment (RFC 9293); options: a multiple of four bytes; sequence numbers are taken modulo 2^32.

    finished: as of `summed`. ip_options and further arguments: the options, and arguments of `ip`.
    """
    front = struct.pack(
        "!HHIIBBHHH", source[1], destination[1], sequence % (1 << 32), acknowledged % (1 << 32),
        (HEADER + len(options)) << 2, flags, window, 0, urgent,
    )  # fmt: skip
    segment = summed(source[0], destination[0], TCP, front + options + payload, finished=finished)
    return ip(source[0], destination[0], TCP, segment, options=ip_options, **header)


def query(
    source: Endpoint, destination: Endpoint, kind: int = ECHO, payload: bytes = b"abcdefgh", **header: Any
) -> bytes:
    """An ICMP query or reply (RFC 792).

    The identifier is the source's port, or the destination's where the source's is 0.
    """
    message = struct.pack("!BBHHH", kind, 0, 0, source[1] or destination[1], 1) + payload
    return ip(source[0], destination[0], ICMP, summed(source[0], destination[0], ICMP, message), **header)


def error(
    source: IPv4Address,
    destination: IPv4Address,
    quoted: bytes,
    kind: int = UNREACHABLE,
    code: int = PORT,
    *,
    rest: int = 0,
    **header: Any,
) -> bytes:
    """An ICMP error (RFC 792) that quotes these bytes; rest: the last word of its header."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + quoted
    return ip(source, destination, ICMP, summed(source, destination, ICMP, message), **header)


def l4_at(packet: bytes) -> int:
    """Where the transport header begins."""
    return (packet[0] & 15) * 4


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
    at = l4_at(packet)
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


def ip_sum_is_right(packet: bytes) -> bool:
    """Is the IP header's checksum right?"""
    return checksum(packet[: l4_at(packet)]) == 0


def transport_sum_is_right(packet: bytes) -> bool:
    """Is the checksum of TCP, UDP or ICMP right? A UDP checksum that was left out is not."""
    protocol, segment = packet[9], packet[l4_at(packet) : word_at(packet, 2)]
    front = b""
    if protocol != ICMP:
        front = packet[12:20] + struct.pack("!HH", protocol, len(segment))
    return checksum(front + segment) == 0


def sums_are_right(packet: bytes) -> bool:
    """Are the IP header's checksum and the checksum of TCP, UDP or ICMP right?"""
    return ip_sum_is_right(packet) and transport_sum_is_right(packet)
