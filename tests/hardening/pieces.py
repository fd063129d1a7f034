"""Fragments made by hand, and put together again by one who forgives nothing."""

import struct
from collections.abc import Iterable

from support.packets import HEADER, checksum, put, word

DONT_FRAGMENT, MORE = 0x4000, 0x2000
WHOLE_UNITS = 8
"""A fragment's offset is counted in these, and all but the last are as long as some of them."""


def piece(
    packet: bytes,
    start: int,
    end: int | None = None,
    *,
    more: bool = True,
    data: bytes | None = None,
    flags: int = 0,
) -> bytes:
    """A fragment: the bytes `start` to `end` of what follows a packet's IP header, or `data` there."""
    body = packet[HEADER:][start:end] if data is None else data
    field = flags | (MORE if more else 0) | start // WHOLE_UNITS
    header = put(put(packet[:HEADER], 2, word(HEADER + len(body))), 6, word(field))
    return put(header, 10, word(checksum(put(header, 10, b"\0\0")))) + body


def cut(packet: bytes, size: int, flags: int = 0) -> list[bytes]:
    """A packet in fragments of this many bytes, in order."""
    end = len(packet) - HEADER
    return [
        piece(packet, start, min(start + size, end), more=start + size < end, flags=flags)
        for start in range(0, end, size)
    ]


def numbered(packet: bytes, identification: int) -> bytes:
    """The packet with this identification, its header's checksum right."""
    changed = put(put(packet, 4, word(identification)), 10, b"\0\0")
    return put(changed, 10, word(checksum(changed[:HEADER])))


def put_together(packets: Iterable[bytes]) -> list[bytes]:
    """Whole packets out of fragments that have passed, in the order of their last pieces.

    Raises AssertionError when pieces overlap, or when some of a packet are missing.
    """
    waiting: dict[tuple[bytes, bytes, int], dict[int, bytes]] = {}
    done: list[bytes] = []
    for packet in packets:
        (field,) = struct.unpack_from("!H", packet, 6)
        key = (packet[4:6], packet[12:20], packet[9])
        parts = waiting.setdefault(key, {})
        start = (field & 0x1FFF) * WHOLE_UNITS
        assert start not in parts, "the same fragment twice"
        parts[start] = packet
        whole = _joined(parts)
        if whole is not None:
            done.append(whole)
            del waiting[key]
    assert not waiting, "a part of a packet"
    return done


def _joined(parts: dict[int, bytes]) -> bytes | None:
    body = b""
    for start, packet in sorted(parts.items()):
        assert start >= len(body), "fragments that overlap"
        if start > len(body):
            return None
        body += packet[HEADER:]
        if not packet[6] & MORE >> 8:
            assert start == max(parts), "a fragment behind the last one"
            header = put(put(packet[:HEADER], 2, word(HEADER + len(body))), 6, b"\0\0")
            return put(header, 10, word(checksum(put(header, 10, b"\0\0")))) + body
    return None
