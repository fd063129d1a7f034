"""SDP (RFC 8866, 3605, 4145, 5761): where a description's addresses and ports stand.

Nothing is stored. Spans count from the bytes given. Lines of other kinds, and addresses of IPv6 or by name,
are passed over. What is done with what is found is said in `media`.
"""

import re
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.kit.numbers import dotted, port_number

MOST_MEDIA = 16
"""Media of one body; one with more is left alone."""

_LINE = re.compile(rb"([a-z])=([^\r\n]*)(?:\r?\n|\Z)")
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

    connections: the c= lines that count for it. tail: the span of the last line's end.
    """

    __slots__ = (
        "connections",
        "end",
        "has_row",
        "port",
        "protocol",
        "rtcp",
        "rtcp_mux",
        "setup",
        "start",
        "tail",
    )

    def __init__(self, span: tuple[int, int], port: int, protocol: bytes, *, has_row: bool) -> None:
        self.start, self.end = span
        self.port = port
        self.protocol = protocol
        self.has_row = has_row
        self.connections: list[Line] = []
        self.rtcp: Rtcp | None = None
        self.rtcp_mux = False
        self.setup = b""
        self.tail = 0, 0


class Description(NamedTuple):
    """A description, and others that follow it in the same body (each begins with v=).

    has_ice: is there a candidate, or another line of ICE?
    """

    media: list[Media]
    has_ice: bool


def read(data: bytes, begin: int, end: int) -> Description:
    """Read a body with this span. Raises NotActedOn("malformed"), or "no_room" for too many media."""
    all_media: list[Media] = []
    of_session: dict[int, list[Line]] = {}
    above, media, has_ice, here = list[Line](), None, False, begin
    while here < end:
        match = _LINE.match(data, here, end)
        if match is None:
            raise NotActedOn("malformed")
        kind, at, text = match[1], match.start(2), match[2]
        if kind == b"v":
            above, media = [], None
        elif kind == b"m":
            of_session[len(all_media)] = above
            all_media.append(media := _media(at, text))
            if len(all_media) > MOST_MEDIA:
                raise NotActedOn("no_room")
        elif kind == b"c":
            (above if media is None else media.connections).extend(_connection(at, text))
        elif kind == b"a":
            has_ice = has_ice or text.startswith(_ICE)
            if media is not None:
                _attribute(media, at, text)
        here = match.end()
        if media is not None:
            media.tail = match.end(2), here
    for nth, each in enumerate(all_media):
        each.connections = each.connections or of_session[nth]
    return Description(all_media, has_ice)


def _media(at: int, text: bytes) -> Media:
    match = _MEDIA.fullmatch(text)
    if match is None:
        raise NotActedOn("malformed")
    span = at + match.start(1), at + match.end(1)
    return Media(span, port_number(match[1]), match[3].upper(), has_row=match[2] is not None)


def _connection(at: int, text: bytes) -> list[Line]:
    """The address of a c= line; none for IPv6, names, and multicast with its reach."""
    match = _CONNECTION.fullmatch(text.rstrip(b" "))
    if match is None:
        return []
    return [Line(at + match.start(1), at + match.end(1), dotted(match[1]))]


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
