"""Which parts of a message's body are SDP, and which lengths count them (RFC 3261 section 7.4, RFC 5621).

Nothing is stored. A body that a signature covers, that is encoded, or whose type is not known stays as it is.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.protocols.sip.message import Message

MOST_PARTS = 16
MOST_NESTED = 3

_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70}))', re.I)
_AUTH_INT = re.compile(rb"[\s,]qop\s*=\s*\"?auth-int", re.I)
_HEADER = re.compile(rb"([A-Za-z\-]+)[ \t]*:([^\r\n]*)\r?\n")
"""Blanks around the value belong to it here: runs that can take the same bytes are searched for ever."""
_EMPTY = re.compile(rb"\r?\n")
_BLANKS = b" \t"
_PLAIN = (b"", b"7bit", b"8bit", b"binary")
_SIGNED = (b"multipart/signed", b"application/pkcs7-mime", b"multipart/encrypted")


class Part(NamedTuple):
    """A part of a body. lengths: spans of Content-Length in its own headers and those around it.

    With each length the span of what it counts.
    """

    start: int
    end: int
    lengths: tuple[tuple[int, int, int, int], ...]


def has_sdp(message: Message) -> bool:
    """Can its body hold SDP? Only then is it waited for."""
    kind = _kind(message.first(b"content-type"))
    return kind == b"application/sdp" or kind.startswith(b"multipart/")


def descriptions(data: bytes, message: Message) -> list[Part]:
    """The SDP in the body. Raises NotActedOn where it must not be changed, or cannot be found."""
    if message.body >= message.end:
        return []
    content = message.first(b"content-type")
    found = list(_parts(data, Part(message.body, message.end, ()), content, 0))
    if found:
        _require_unsigned(message)
    return found


def write_length(length: int) -> bytes:
    """A Content-Length."""
    return b"%d" % length


def _require_unsigned(message: Message) -> None:
    """Raise NotActedOn where a change would break a signature or a digest."""
    for name in (b"authorization", b"proxy-authorization"):
        for each in message.headers.get(name, ()):
            if _AUTH_INT.search(each.text):
                raise NotActedOn("not_allowed")
    if message.first(b"content-encoding").lower() not in {b"", b"identity"}:
        raise NotActedOn("not_allowed")
    if b"identity" in message.headers and b"identity-info" in message.headers:
        raise NotActedOn("not_allowed")  # RFC 4474 signs the body; RFC 8224 does not


def _kind(content: bytes) -> bytes:
    return content.partition(b";")[0].strip().lower()


def _parts(data: bytes, around: Part, content: bytes, depth: int) -> Iterator[Part]:
    """The parts within a part of this content type."""
    kind = _kind(content)
    if kind == b"application/sdp":
        yield around
    if not kind.startswith(b"multipart/") and kind not in _SIGNED:
        return
    if kind in _SIGNED:
        raise NotActedOn("not_allowed")
    match = _BOUNDARY.search(content)
    if match is None or depth == MOST_NESTED:
        raise NotActedOn("malformed")
    mark = b"--" + (match[1] or match[2])
    for start, stop in _between(data, around.start, around.end, mark):
        yield from _part(data, Part(start, stop, around.lengths), depth)


def _between(data: bytes, begin: int, end: int, mark: bytes) -> Iterator[tuple[int, int]]:
    """The spans between boundaries, each with its part's headers. Raises NotActedOn("malformed")."""
    at = data.find(mark, begin, end)
    for _ in range(MOST_PARTS):
        if at < 0:
            raise NotActedOn("malformed")
        line = data.find(b"\n", at, end)
        if data.startswith(b"--", at + len(mark)) or line < 0:
            return
        following = data.find(b"\n" + mark, line, end)
        if following < 0:
            raise NotActedOn("malformed")
        stop = following - 1 if data[following - 1 : following] == b"\r" else following
        if stop > line:
            yield line + 1, stop
        at = following + 1
    raise NotActedOn("malformed")


def _part(data: bytes, part: Part, depth: int) -> Iterator[Part]:
    """The SDP in a part that begins with headers of its own."""
    content, encoding, counted, here = b"", b"", None, part.start
    while (match := _HEADER.match(data, here, part.end)) is not None:
        name, value = match[1].lower(), match[2].strip(_BLANKS)
        if name == b"content-type":
            content = value
        elif name == b"content-length":
            start = match.start(2) + match[2].index(value)
            counted = start, start + len(value)
        elif name == b"content-transfer-encoding":
            encoding = value.lower()
        here = match.end()
    empty = _EMPTY.match(data, here, part.end)
    if empty is None or encoding not in _PLAIN:
        return
    lengths, body = part.lengths, empty.end()
    if counted is not None:
        if not data[slice(*counted)].isdigit():
            raise NotActedOn("malformed")
        lengths = (*lengths, (*counted, body, part.end))
    yield from _parts(data, Part(body, part.end, lengths), content, depth + 1)
