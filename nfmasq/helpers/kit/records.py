"""Messages of DNS (RFC 1035 section 4.1) and of the NetBIOS name service (RFC 1002 section 4.2): one format.

A message has a header of 12 bytes with four counts, questions, and records in three sections. Names are
passed over and never followed: a pointer ends a name. So no message makes the walk longer than it is itself.
"""

import struct
from collections.abc import Container
from typing import NamedTuple

HEADER = struct.Struct("!6H")
"""Id, flags, and how many questions, answers, authorities and additional records follow."""
LONGEST_NAME = 255
"""Bytes of a name as it stands in a message."""
IS_RESPONSE = 0x8000
MOST_QUESTIONS = 64
"""Of one message; nearly all have one."""

_RECORD = struct.Struct("!HHIH")
"""Type, class, time to live and length of the data, behind the name."""
_POINTER, _LABEL = 0xC0, 0x3F
_POINTERS, _ROOT = bytes([_POINTER]), b"\0"
"""Most names of records are a pointer alone."""


class Malformed(Exception):
    """The message contradicts itself, or ends too early."""


class Record(NamedTuple):
    """A record. kind: its type; group: its class. begin, end: its data."""

    kind: int
    group: int
    begin: int
    end: int


class Message(NamedTuple):
    """A message. questions: the type of each. records: of the wanted types, of all sections, in order."""

    number: int
    flags: int
    questions: list[int]
    records: list[Record]

    @property
    def operation(self) -> int:
        """The operation code, 0 to 15."""
        return self.flags >> 11 & 0xF


def message(data: bytes, at: int, end: int, kinds: Container[int]) -> Message:
    """The message that `data` has from byte `at` to byte `end`, with records of these types.

    Raises Malformed.
    """
    if end - at < HEADER.size:
        raise Malformed
    number, flags, asked, *counts = HEADER.unpack_from(data, at)
    if asked > MOST_QUESTIONS:
        raise Malformed
    here = at + HEADER.size
    questions: list[int] = []
    records: list[Record] = []
    for _ in range(asked):
        here = behind_name(data, here, end) + 4
        if here > end:
            raise Malformed
        questions.append(int.from_bytes(data[here - 4 : here - 2]))
    for _ in range(sum(counts)):
        first = data[here : here + 1]
        if first >= _POINTERS:
            here += 2
        else:
            here = here + 1 if first == _ROOT else behind_name(data, here, end)
        begin = here + _RECORD.size
        if begin > end:
            raise Malformed
        kind, group, _, length = _RECORD.unpack_from(data, here)
        here = begin + length
        if here > end:
            raise Malformed
        if kind in kinds:
            records.append(Record(kind, group, begin, here))
    return Message(number, flags, questions, records)


def behind_name(data: bytes, at: int, end: int) -> int:
    """Where the name that begins there ends. Raises Malformed."""
    last = min(end, at + LONGEST_NAME)
    while at < last:
        length = data[at]
        if length >= _POINTER:
            return at + 2
        if length > _LABEL:
            raise Malformed
        at += 1 + length
        if length == 0:
            return at
    raise Malformed
