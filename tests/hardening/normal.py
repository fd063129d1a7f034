"""A packet without what two NATs may choose freely, so that what they did can be compared."""

import struct

from support.packets import (
    CHECK_AT,
    DCCP,
    HEADER,
    ICMP,
    TCP,
    UDP,
    UDPLITE,
    checksum,
    ip_sum_is_right,
    l4_at,
    put,
)

DONT_FRAGMENT = 0x40
NOBODY = b"\0\0"
ICMP_ERRORS = (3, 11, 12)
PORTS = (TCP, UDP, UDPLITE, DCCP)


def external_port(packet: bytes) -> int:
    """The port, or the identifier, by which a packet that left would be answered; 0: it has none."""
    at = l4_at(packet)
    if packet[9] in (TCP, UDP) and len(packet) >= at + 2:
        return int.from_bytes(packet[at : at + 2])
    if packet[9] == ICMP and len(packet) >= at + 6:
        return int.from_bytes(packet[at + 4 : at + 6])
    return 0


def normal(packet: bytes, left: bool) -> bytes:
    """The packet with how wrong its transport checksum is in place of it.

    One that left is without its external port, and its identification if it may be cut up. The sum of the IP
    header must be right.
    """
    at = l4_at(packet)
    assert ip_sum_is_right(packet)
    body = packet[at:]
    if packet[9] in CHECK_AT and len(body) >= CHECK_AT[packet[9]] + 2:
        body = put(body, CHECK_AT[packet[9]], _error(packet).to_bytes(2))
    if left:
        body = _without_port(packet[9], body)
        if not packet[6] & DONT_FRAGMENT:
            packet = put(packet, 4, NOBODY)
    return put(packet[:at], 10, NOBODY) + body


def _error(packet: bytes) -> int:
    """0 for a right L4 checksum, or one left out; else what it is off by."""
    at = l4_at(packet)
    body = packet[at:]
    where = CHECK_AT[packet[9]]
    told: int = struct.unpack_from("!H", body, where)[0]
    if packet[9] == UDP and told == 0:
        return 0xFFFF
    front = b"" if packet[9] == ICMP else packet[12:20] + struct.pack("!HH", packet[9], len(body))
    right = checksum(front + put(body, where, NOBODY))
    return (told - right) % 0xFFFF


def _without_port(protocol: int, body: bytes) -> bytes:
    if protocol in (TCP, UDP):
        return NOBODY + body[2:]
    if protocol == ICMP and body[0] in ICMP_ERRORS:
        return body[:8] + _quote_without_port(body[8:])
    if protocol == ICMP:
        return put(body, 4, NOBODY)
    return body


def _quote_without_port(quote: bytes) -> bytes:
    """The quoted packet was sent to the external port; its checksum covered it."""
    if len(quote) < HEADER:
        return quote
    at = l4_at(quote)
    quote = put(quote, 10, NOBODY)
    where = CHECK_AT.get(quote[9])
    if where is not None and len(quote) >= at + where + 2:
        quote = put(quote, at + where, NOBODY)
    if quote[9] in (TCP, UDP) and len(quote) >= at + 4:
        return put(quote, at + 2, NOBODY)
    if quote[9] == ICMP and len(quote) >= at + 6:
        return put(quote, at + 4, NOBODY)
    return quote
