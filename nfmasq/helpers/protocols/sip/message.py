"""Where a SIP message begins and ends, and where its headers stand (RFC 3261 sections 7 and 18.3).

Nothing is stored. Spans count from the bytes given. Long and compact names are one header. A header may go on
in lines that begin with a blank. Lines end with CRLF; a bare LF is understood too.
"""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from nfmasq.helpers.kit.base import LONGEST_MESSAGE, NotActedOn
from nfmasq.helpers.kit.numbers import number

METHODS = frozenset(
    b"ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE".split()
)
MOST_HEAD_LINES = 256
"""Lines of a message: one with more is left alone."""
MOST_VALUES = 70
"""Headers of one name: as many as a message may have hops (RFC 3261, Max-Forwards)."""
LONGEST_HEAD = 16384
"""Bytes from a message's first line to its empty line: one with more is left alone."""

_START = re.compile(
    rb"(?:SIP/2\.0 (\d{3})(?: [^\r\n]*)?|([!%'*+\-.0-9A-Z_`a-z~]+) ([^ \r\n]+) SIP/2\.0)\r?\n"
)
_START_BEGINS = re.compile(
    rb"S(?:I(?:P(?:/(?:2(?:\.(?:0(?: .*)?)?)?)?)?)?)?|[!%'*+\-.0-9A-Z_`a-z~]+(?: (?:[^ \r]+(?: ("
    + b"|".join(b"SIP/2.0\r"[:length].replace(b".", rb"\.") for length in range(9))
    + rb"))?)?)?",
    re.S,
)
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_BLANKS = re.compile(rb"[\r\n]+")
_FOLDED = re.compile(rb"\r?\n[ \t]+")

NAMES = {
    **{name: name for name in (
        b"via", b"contact", b"call-id", b"cseq", b"from", b"to", b"route", b"record-route", b"expires",
        b"content-length", b"content-type", b"content-encoding", b"authorization", b"proxy-authorization",
        b"identity", b"identity-info",
    )},
    b"v": b"via", b"m": b"contact", b"i": b"call-id", b"f": b"from", b"t": b"to", b"l": b"content-length",
    b"c": b"content-type", b"e": b"content-encoding", b"y": b"identity", b"n": b"identity-info",
}  # fmt: skip
"""Headers that are read, by each of their names in lower case."""


def _by_first_letter(names: Iterable[bytes]) -> bytes:
    """An expression for these names in any case. A line whose first letter fits none is passed over fast."""
    groups = groupby(sorted(names), key=lambda name: name[:1])
    return b"|".join(
        b"[%s%s](?i:%s)"
        % (letter, letter.upper(), b"|".join(sorted((name[1:] for name in group), reverse=True)))
        for letter, group in groups
    )


_HEADER = re.compile(rb"\n(" + _by_first_letter(NAMES) + rb")[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)")
_TAG = re.compile(rb";[ \t]*tag[ \t]*=[ \t]*([^;,\s]+)", re.I)
_BRANCH = re.compile(rb";[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)", re.I)
_REQUIRED = {b"via", b"call-id", b"from", b"to", b"cseq"}


class NotSip(Exception):
    """The bytes do not begin like a message."""


class Value(NamedTuple):
    """A header's value without the blanks around it, and its span. text: of folded lines, with blanks."""

    start: int
    end: int
    text: bytes


_tuple = tuple.__new__
"""Makes a named tuple of a tuple, in half the time: each message makes many."""
_NO_VALUES = (Value(0, 0, b""),)


class Message(NamedTuple):
    """A message. start, end: its span; it may end beyond the bytes that have come.

    status: of a response, else 0. method: of a request, or CSeq's. uri: the span of the Request-URI. body:
    where the body begins, behind the empty line; it goes to `end`. sized: the value of Content-Length; None
    where there is none: the body ends with the datagram. call: its Call-ID, as it is stored.
    """

    start: int
    end: int
    status: int
    method: bytes
    uri: tuple[int, int]
    headers: dict[bytes, list[Value]]
    body: int
    sized: Value | None
    call: int

    def first(self, name: bytes) -> bytes:
        """The value of the first header of this name; b"" where there is none."""
        values = self.headers.get(name)
        return values[0].text if values else b""

    @property
    def sequence(self) -> int:
        """Its CSeq, as it is stored: number and method, whatever blanks are between them."""
        return brief(b" ".join(self.first(b"cseq").split()))

    @property
    def transaction(self) -> tuple[int, int]:
        """CSeq, and the branch of the topmost Via (RFC 3261 section 17), as they are stored.

        A sender of RFC 2543 writes no branch: it is 0.
        """
        match = _BRANCH.search(self.first(b"via"))
        return self.sequence, 0 if match is None else brief(match[1])

    @property
    def tags(self) -> frozenset[int]:
        """The tags of From and To, as they are stored, whichever side says them."""
        found = [_TAG.search(self.first(name).rpartition(b">")[2]) for name in (b"from", b"to")]
        return frozenset([brief(each[1]) for each in found if each is not None])

    @property
    def is_in_dialog(self) -> bool:
        """Does To have a tag? Both sides know the dialog then (RFC 3261 section 12)."""
        return _TAG.search(self.first(b"to").rpartition(b">")[2]) is not None


def brief(identifier: bytes) -> int:
    """An identifier as it is stored: 64 bits, however long it is. Each start has another key for them."""
    return hash(identifier)


def behind_blanks(data: bytes, at: int) -> int:
    """The first byte that is no end of an empty line: such lines are pings (RFC 5626 section 3.5.1)."""
    match = _BLANKS.match(data, at)
    return at if match is None else match.end()


def begins(data: bytes, at: int) -> bool:
    """Can the bytes from there on still become a message's first line?"""
    end = data.find(b"\n", at)
    if end >= 0:
        return _START.match(data, at) is not None
    return len(data) - at <= LONGEST_HEAD and _START_BEGINS.fullmatch(data, at) is not None


def read_message(data: bytes, at: int) -> Message | None:
    """The message that begins there, as far as its empty line; None: that has not come yet.

    Raises NotSip. Raises NotActedOn("malformed") for a message whose end cannot be known.
    """
    first = _START.match(data, at)
    if first is None:
        raise NotSip
    empty = _EMPTY_LINE.search(data, first.end() - 1)
    if empty is None:
        return None
    end, body = empty.start() + 1, empty.end()
    if body - at > LONGEST_HEAD or data.count(b"\n", at, end) > MOST_HEAD_LINES:
        raise NotActedOn("malformed")
    headers = _headers(data, first.end() - 1, end)
    length, sized = _length(headers.get(b"content-length", []))
    status, method = first.group(1, 2)
    if method is None:
        method = b"".join(headers.get(b"cseq", _NO_VALUES)[0].text.split()[-1:])
    call = brief(headers.get(b"call-id", _NO_VALUES)[0].text)
    until = len(data) if sized is None else body + length
    values = at, until, int(status or 0), method, first.span(3), headers, body, sized, call
    return _tuple(Message, values)


def require_headers(message: Message) -> None:
    """Raise NotActedOn where a header that every message has is missing, or contradicts the first line."""
    cseq = message.first(b"cseq").split()
    if len(cseq) != 2 or not cseq[0].isdigit() or cseq[1] != message.method:
        raise NotActedOn("malformed")
    headers = message.headers
    if not headers.keys() >= _REQUIRED or len(headers[b"call-id"]) > 1 or len(headers[b"cseq"]) > 1:
        raise NotActedOn("malformed")
    if max(map(len, headers.values())) > MOST_VALUES:
        raise NotActedOn("malformed")


def _headers(data: bytes, begin: int, end: int) -> dict[bytes, list[Value]]:
    """The headers behind the end of the first line, which is at `begin`."""
    headers: dict[bytes, list[Value]] = {}
    for match in _HEADER.finditer(data, begin, end):
        written, text = match.group(1, 2)
        start, text = match.start(2), text.rstrip()
        value = _unfolded(start, text) if b"\n" in text else _tuple(Value, (start, start + len(text), text))
        name = NAMES[written.lower()]
        if name in headers:
            headers[name].append(value)
        else:
            headers[name] = [value]
    return headers


def _unfolded(start: int, text: bytes) -> Value:
    stripped = text.lstrip()
    start += len(text) - len(stripped)
    folded = _FOLDED.sub(lambda fold: b" " * len(fold[0]), stripped)
    return Value(start, start + len(stripped), folded)


def _length(values: list[Value]) -> tuple[int, Value | None]:
    """What Content-Length says, and where. Raises NotActedOn("malformed")."""
    if not values:
        return 0, None
    if len(values) > 1:
        raise NotActedOn("malformed")
    return number(values[0].text, LONGEST_MESSAGE), values[0]
