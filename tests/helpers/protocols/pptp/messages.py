"""Messages of PPTP's control connection, as the tests of its helper write them."""

import struct

COOKIE = 0x1A2B3C4D
LENGTHS = {
    1: 156, 2: 156, 3: 16, 4: 16, 5: 16, 6: 20, 7: 168, 8: 32, 9: 220, 10: 24, 11: 28, 12: 16, 13: 148,
    14: 40, 15: 24,
}  # fmt: skip
"""Bytes of each control type (RFC 2637 section 2)."""
REQUEST, REPLY, CALLED, ANSWERED, CONNECTED, CLEAR, GONE, ERROR, LINK = range(7, 16)
START, STARTED = 1, 2


def message(kind: int, *ids: int, result: int = 1, cookie: int = COOKIE, length: int = 0) -> bytes:
    """A message with ids where this control type has them. length: another one than the standard's."""
    length = length or LENGTHS.get(kind, 16)
    head = struct.pack("!HHIHH", length, 1, cookie, kind, 0) + b"".join(each.to_bytes(2) for each in ids)
    if kind in {REPLY, ANSWERED}:
        head += bytes([result])
    return head.ljust(length, b"\0")[:length]


def ids_of(text: bytes) -> tuple[int, int]:
    """The two words where a message has its ids."""
    return struct.unpack_from("!HH", text, 12)
