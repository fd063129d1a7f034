"""SDP (RFC 8866, 3605, 5761): where a description's addresses and ports stand, and what is done with them.

Nothing is stored. A description is acted on as a whole or not at all. An address or a port that cannot be
translated raises NotActedOn, and the description stays as it is. Left alone without a word are:

- descriptions with ICE (RFC 8839): the phone traverses the NAT by itself, and a changed default candidate
  would end that (ice-mismatch, RFC 8445 section 5.4);
- descriptions that name an address learned from outside, and media that are rejected (port 0) or on hold
  (0.0.0.0).

`o=` is an identifier of the session, and is never changed.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.kit.base import Found, Named, NotActedOn, Session
from nfmasq.helpers.kit.numbers import dotted, port_number

MOST_PORTS = 16
"""Ports of one description: as many as one session may expect at a time."""
PATIENCE_S = 180
"""Seconds for which media are expected: a person has to take up the phone (RFC 3261, Timer C)."""

_LINE = re.compile(rb"([a-z])=([^\r\n]*)(?:\r?\n|\Z)")
_CONNECTION = re.compile(rb"IN IP4 (\d+\.\d+\.\d+\.\d+)")
_MEDIA = re.compile(rb"[!-~]+ (\d+)(?:/\d+)? ([!-~]+)(?: [^\r\n]*)?")
_RTCP = re.compile(rb"rtcp:(\d+)(?: IN IP4 (\d+\.\d+\.\d+\.\d+))?")
_SETUP = re.compile(rb"setup:(active|passive|actpass|holdconn)")
_ICE = (b"candidate:", b"ice-ufrag:", b"remote-candidates:")
_NOWHERE = IPv4Address(0)
_DISCARD = 9


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
    """A media description. start, end, port: of the port in the m= line. connections: its c= lines."""

    __slots__ = ("connections", "end", "port", "protocol", "rtcp", "rtcp_mux", "setup", "start")

    def __init__(self, start: int, end: int, port: int, protocol: bytes) -> None:
        self.start, self.end, self.port = start, end, port
        self.protocol = protocol
        self.connections: list[Line] = []
        self.rtcp: Rtcp | None = None
        self.rtcp_mux = False
        self.setup = b""


class Description:
    """A description, and others that follow it in the same body (each begins with v=).

    connections: c= lines that stand before any media. has_ice: a candidate is written somewhere.
    """

    __slots__ = ("connections", "has_ice", "media")

    def __init__(self) -> None:
        self.connections: list[Line] = []
        self.media: list[tuple[Media, list[Line]]] = []
        """Each with the c= lines that count for it."""
        self.has_ice = False


def read(data: bytes, begin: int, end: int) -> Description:
    """Read a body with this span. Raises NotActedOn("malformed")."""
    made, above, media = Description(), list[Line](), None
    here = begin
    while here < end:
        match = _LINE.match(data, here, end)
        if match is None:
            raise NotActedOn("malformed")
        kind, at, text = match[1], match.start(2), match[2]
        if kind == b"v":
            above, media = [], None
        elif kind == b"m":
            media = _media(at, text)
            made.media.append((media, above))
            if len(made.media) > MOST_PORTS:
                raise NotActedOn("no_room")
        elif kind == b"c":
            line = _connection(at, text)
            if line is not None:
                (above if media is None else media.connections).append(line)
                made.connections += [line] if media is None else []
        elif kind == b"a":
            made.has_ice = made.has_ice or text.startswith(_ICE)
            if media is not None:
                _attribute(media, at, text)
        here = match.end()
    made.media = [(each, each.connections or of_session) for each, of_session in made.media]
    return made


def places(described: Description, session: Session) -> list[Found | Named]:
    """What the inside wrote of its own, in order; [] where there is nothing to translate.

    Raises NotActedOn, with the reason why the description stays as it is.
    """
    own = session.internal[0]
    if described.has_ice:
        return []
    made: list[Found | Named] = []
    ports = 0
    lines: dict[int, Line] = {}
    for media, connections in described.media:
        if media.port == 0 or not connections:
            continue
        addresses = {line.address for line in connections}
        if addresses != {own}:
            if addresses <= {_NOWHERE, session.external[0]}:
                continue
            raise NotActedOn("forged")
        found = list(_found(media, own, session))
        ports += sum(each.consecutive for each in found)
        made += found
        lines |= {line.start: line for line in connections}
    if ports > MOST_PORTS:
        raise NotActedOn("no_room")
    made += [Named(line.start, line.end, line.address, _write_address) for line in lines.values()]
    return sorted(made, key=lambda each: each.start)


def addresses(described: Description) -> Iterator[IPv4Address]:
    """The addresses to which the speaker wants its media."""
    for media, connections in described.media:
        if media.port:
            yield from (line.address for line in connections if line.address != _NOWHERE)


def _media(at: int, text: bytes) -> Media:
    match = _MEDIA.fullmatch(text)
    if match is None:
        raise NotActedOn("malformed")
    return Media(at + match.start(1), at + match.end(1), port_number(match[1]), match[2].upper())


def _connection(at: int, text: bytes) -> Line | None:
    """The address of a c= line; None for IPv6, names, and multicast with its reach."""
    match = _CONNECTION.fullmatch(text.rstrip(b" "))
    if match is None:
        return None
    return Line(at + match.start(1), at + match.end(1), dotted(match[1]))


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


def _found(media: Media, own: IPv4Address, session: Session) -> Iterator[Found]:
    """The endpoints of a media description. Raises NotActedOn."""
    ends = session.transport == "udp"
    protocol, transport = media.protocol, "udp"
    if protocol.startswith(b"TCP"):
        if protocol.startswith(b"TCP/MSRP"):
            raise NotActedOn("not_allowed")  # its endpoint stands in a URI, too
        if media.setup == b"active" or media.port == _DISCARD:
            return
        transport = "tcp"
    elif b"RTP" not in protocol and protocol != b"UDPTL" and not protocol.startswith((b"UDP", b"DTLS")):
        raise NotActedOn("not_allowed")
    if media.port < 1024:
        raise NotActedOn("privileged")
    rtcp = media.rtcp
    is_pair = transport == "udp" and b"RTP" in protocol and not media.rtcp_mux and rtcp is None
    if is_pair and media.port == 65535:
        raise NotActedOn("malformed")
    common = {
        "transport": transport, "anyone": True, "patience_s": PATIENCE_S, "ends_with_control": ends,
    }  # fmt: skip
    yield Found(
        media.start, media.end, own, media.port, _write_port, consecutive=2 if is_pair else 1, **common,
    )  # fmt: skip
    if rtcp is None or rtcp.port == 0:
        return
    if rtcp.address not in {None, own}:
        raise NotActedOn("forged")
    if rtcp.port < 1024:
        raise NotActedOn("privileged")
    between = rtcp.between

    def write(address: IPv4Address, port: int) -> bytes:
        return b"%d%s%s" % (port, between, str(address).encode()) if between else b"%d" % port

    yield Found(rtcp.start, rtcp.end, rtcp.address, rtcp.port, write, **common)


def _write_address(address: IPv4Address, _: int) -> bytes:
    return str(address).encode()


def _write_port(_: IPv4Address, port: int) -> bytes:
    return b"%d" % port
