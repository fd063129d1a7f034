"""TCP segments that begin at 0, and the fields of a segment seen."""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from support.packets import HEADER, SYN, l4_at, tcp


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
    return tcp(
        source,
        source_port,
        destination,
        destination_port,
        flags,
        payload=payload,
        options=options,
        sequence=sequence,
        acked=acknowledged,
        window=window,
        urgent=urgent,
    )


def fields(packet: bytes) -> Fields:
    """The same fields of a packet seen."""
    at = l4_at(packet)
    sequence, acknowledged, offset, flags, window, _, urgent = struct.unpack_from("!IIBBHHH", packet, at + 4)
    end = at + (offset >> 4) * 4
    return Fields(sequence, acknowledged, flags, window, urgent, packet[at + HEADER : end], packet[end:])
