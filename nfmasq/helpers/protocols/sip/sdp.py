"""SDP (RFC 8866, 3605, 4145, 5761): where a description's addresses and ports stand.

Nothing is stored. Spans count from the bytes given. Lines of other kinds, and addresses of IPv6 or by name,
are passed over. What is done with what is found is said in `media`.
"""

import re
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.kit.numbers import dotted, port_number

NOWHERE = IPv4Address(0)
MOST_MEDIA = 16
"""Media of one body; one with more is left alone."""
MOST_LINES_OF_ADDRESSES = 8
"""Addresses of one media description, or of all in common."""
MOST_SDP_LINES = 512
"""Lines of one body; one with more is left alone."""

_LINE = re.compile(rb"\n([vmc]|a(?==(?:rtcp|setup|candidate|ice-ufrag|remote-candidates)))=([^\r\n]*)")
_CONNECTIONS = re.compile(rb"\nc=IN IP4 (\d+\.\d+\.\d+\.\d+)")
_CONNECTION = re.compile(rb"IN IP4 (\d+\.\d+\.\d+\.\d+)")
_MEDIA = re.compile(rb"[!-~]+ (\d+)(/\d+)? ([!-~]+)(?: [^\r\n]*)?")
_RTCP = re.compile(rb"rtcp:(\d+)(?: IN IP4 (\d+\.\d+\.\d+\.\d+))?")
_SETUP = re.compile(rb"setup:(active|passive|actpass|holdconn)")
_ICE = (b"candidate:", b"ice-ufrag:", b"remote-candidates:")


class Line(NamedTuple):
    """An address that a c= line names, and its span."""

    start: int
    end: int
    address: IPv4Address


class Rtcp(NamedTuple):
    """An a=rtcp line: its port, and an address where it names one. start, end: the span of both."""

    start: int
    end: int
    port: int
    address: IPv4Address | None
    between: bytes


class Media:
    """A media description. start, end, port: of the port in the m= line. has_row: does it name several?

    own, above: its c= lines, and those of the session. tail: the span of the last line's end.
    """

    __slots__ = (
        "above",
        "end",
        "has_row",
        "own",
        "port",
        "protocol",
        "rtcp",
        "rtcp_mux",
        "setup",
        "start",
        "tail",
    )

    def __init__(self, match: re.Match[bytes], at: int, above: list[Line]) -> None:
        self.start, self.end = at + match.start(1), at + match.end(1)
        self.port = port_number(match[1])
        self.has_row = match[2] is not None
        self.protocol = match[3].upper()
        self.above = above
        self.own: list[Line] = []
        self.rtcp: Rtcp | None = None
        self.rtcp_mux = False
        self.setup = b""
        self.tail = 0, 0

    @property
    def connections(self) -> list[Line]:
        """The c= lines that count for it."""
        return self.own or self.above


class Description(NamedTuple):
    """A description, and others that follow it in the same body (each begins with v=).

    has_ice: is there a candidate, or another line of ICE?
    """

    media: list[Media]
    has_ice: bool


def read(data: bytes, begin: int, end: int) -> Description:
    """Read a body with this span, which begins behind the end of a line.

    Raises NotActedOn("malformed"), or "no_room" for too many media.
    """
    if data.count(b"\n", begin, end) > MOST_SDP_LINES:
        raise NotActedOn("malformed")
    all_media: list[Media] = []
    above, media, has_ice = list[Line](), None, False
    for match in _LINE.finditer(data, max(begin - 1, 0), end):
        kind, text = match.group(1, 2)
        at = match.start(2)
        if kind in b"mv" and media is not None:
            media.tail = _tail(data, match.start(1))
        if kind == b"v":
            above, media = [], None
        elif kind == b"m":
            media = _media(at, text, above)
            all_media.append(media)
        elif kind == b"c":
            _take_in_connection(above if media is None else media.own, at, text)
        elif text.startswith(_ICE):
            has_ice = True
        elif media is not None:
            _attribute(media, at, text)
    if len(all_media) > MOST_MEDIA:
        raise NotActedOn("no_room")
    if media is not None:
        media.tail = _tail(data, end)
    return Description(all_media, has_ice)


def addresses(data: bytes, begin: int, end: int) -> list[IPv4Address]:
    """The addresses that a body names for media; its span as in `read`. Raises NotActedOn("malformed")."""
    found = [dotted(match[1]) for match in _CONNECTIONS.finditer(data, max(begin - 1, 0), end)]
    return [address for address in dict.fromkeys(found) if address != NOWHERE]


def _tail(data: bytes, end: int) -> tuple[int, int]:
    """The end of the line before; it is empty where the body ends without."""
    return end - (2 if data.endswith(b"\r\n", 0, end) else data.endswith(b"\n", 0, end)), end


def _media(at: int, text: bytes, above: list[Line]) -> Media:
    match = _MEDIA.fullmatch(text)
    if match is None:
        raise NotActedOn("malformed")
    return Media(match, at, above)


def _take_in_connection(lines: list[Line], at: int, text: bytes) -> None:
    """Add the address of a c= line; IPv6, names, and multicast with its reach are passed over."""
    match = _CONNECTION.fullmatch(text.rstrip(b" "))
    if match is None:
        return
    if len(lines) == MOST_LINES_OF_ADDRESSES:
        raise NotActedOn("malformed")
    lines.append(Line(at + match.start(1), at + match.end(1), dotted(match[1])))


def _attribute(media: Media, at: int, text: bytes) -> None:
    if text == b"rtcp-mux":
        media.rtcp_mux = True
    elif (setup := _SETUP.fullmatch(text)) is not None:
        media.setup = setup[1]
    elif text.startswith(b"rtcp:"):
        match = _RTCP.fullmatch(text)
        if match is None:
            raise NotActedOn("malformed")
        end = match.end(1) if match[2] is None else match.end(2)
        between = b"" if match[2] is None else text[match.end(1) : match.start(2)]
        address = None if match[2] is None else dotted(match[2])
        media.rtcp = Rtcp(at + match.start(1), at + end, port_number(match[1]), address, between)
