"""TCP segments made by hand, with the fields that hot.packets leaves fixed."""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from support.packets import HEADER, SYN, TCP, ip, l4_at, summed

WRAP = 1 << 32


class Fields(NamedTuple):
    """The fields of a segment that window tracking reads or must leave alone."""

    sequence: int
    acknowledged: int
    flags: int
    window: int
    urgent: int
    options: bytes
    payload: bytes


def segment(
    source: IPv4Address,
    source_port: int,
    destination: IPv4Address,
    destination_port: int,
    flags: int = SYN,
    *,
    sequence: int = 0,
    acknowledged: int = 0,
    window: int = 64000,
    payload: bytes = b"",
    options: bytes = b"",
    urgent: int = 0,
) -> bytes:
    """An IPv4 packet with a TCP segment (RFC 9293); options are a multiple of four bytes."""
    front = struct.pack(
        "!HHIIBBHHH", source_port, destination_port, sequence % WRAP, acknowledged % WRAP,
        (HEADER + len(options)) << 2, flags, window, 0, urgent,
    )  # fmt: skip
    return ip(source, destination, TCP, summed(source, destination, TCP, front + options + payload))


def fields(packet: bytes) -> Fields:
    """The same fields of a packet seen."""
    at = l4_at(packet)
    sequence, acknowledged, offset, flags, window, _, urgent = struct.unpack_from("!IIBBHHH", packet, at + 4)
    end = at + (offset >> 4) * 4
    return Fields(sequence, acknowledged, flags, window, urgent, packet[at + HEADER : end], packet[end:])
