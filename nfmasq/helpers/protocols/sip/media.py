"""Which endpoints of a description are translated, and which are left alone (RFC 3264, 8866, 8839).

Nothing is stored. A description is acted on as a whole or not at all. An address or a port that cannot be
translated raises NotActedOn, and the description stays as it is. Where others are translated, media of a kind
that is not known (MSRP) stay as they are. They keep the internal address by a c= line of their own.

Other descriptions are left alone, and nothing is counted. One has ICE (RFC 8839): the phone traverses the NAT
by itself. A changed default candidate would end that (ice-mismatch, RFC 8445 section 5.4). Another names an
address learned from outside. Media may be rejected (port 0), or on hold (0.0.0.0).

`o=` is an identifier of the session, and is never changed.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.kit.base import Apart, Found, Named, NotActedOn, Session
from nfmasq.helpers.protocols.sip.addresses import written
from nfmasq.helpers.protocols.sip.sdp import NOWHERE, Description, Line, Media, Rtcp

MOST_PORTS = 16
"""Ports of one body; one with more is left alone."""
PATIENCE_S = 180
"""Seconds for which media are expected: a person has to take up the phone (RFC 3261, Timer C)."""
LEAST_PORT = 1024
_DISCARD = 9


class Described(NamedTuple):
    """What the inside wrote of its own, in order, and the reasons why some media stay as they are."""

    places: list[Found | Named]
    left_alone: list[str]


def described(data: bytes, description: Description, session: Session, *, anyone: bool) -> Described:
    """What there is to translate. anyone: the other side has not named a host yet.

    Raises NotActedOn, with the reason why the description stays as it is.
    """
    if description.has_ice:
        return Described([], [])
    found: list[Found | Named] = []
    left: list[Media] = []
    lines: dict[int, Line] = {}
    for media in description.media:
        if not _is_own(media, session):
            continue
        transport = _transport(media)
        if transport is None:
            left.append(media)
            continue
        found += _found(data, media, session, transport, anyone=anyone)
        lines |= {line.start: line for line in media.connections}
    if left and not found:
        raise NotActedOn("not_allowed")
    if sum(each.consecutive for each in found if isinstance(each, Found)) > MOST_PORTS:
        raise NotActedOn("no_room")
    found += [Named(line.start, line.end, line.address, _write_address) for line in lines.values()]
    found += [_kept(data, media) for media in left if not media.own and media.above[0].start in lines]
    found.sort(key=_start)
    return Described(found, ["not_allowed"] * len(left))


def _kept(data: bytes, media: Media) -> Named:
    """A line with the internal address, for media that are left alone while the common line changes.

    It stands behind the m= line and its title (RFC 8866 section 5).
    """
    end = data.find(b"\n", media.end) + 1
    if data.startswith(b"i=", end):
        end = data.find(b"\n", end) + 1
    if end == 0:
        raise NotActedOn("not_allowed")
    start = end - (2 if data.startswith(b"\r\n", end - 2) else 1)
    address = media.above[0].address
    return Named(start, end, address, partial(_write_connection, data[start:end], address))


def _is_own(media: Media, session: Session) -> bool:
    """Are these media to come to the speaker's own address? Raises NotActedOn: to that of another host."""
    named = [line.address for line in media.connections] if media.port else []
    if named and named.count(session.internal[0]) == len(named):
        return True
    if any(address not in (NOWHERE, session.external[0]) for address in named):
        raise NotActedOn("forged")
    return False


def _found(data: bytes, media: Media, session: Session, transport: str, *, anyone: bool) -> Iterator[Found]:
    """The endpoints of a media description. Raises NotActedOn."""
    if not transport:
        return
    own = session.internal[0]
    found = partial(
        Found, transport=transport, anyone=anyone, patience_s=PATIENCE_S, media=True,
        ends_with_control=session.transport == "udp",
    )  # fmt: skip
    _require_unprivileged(media.port)
    rtcp = media.rtcp
    if rtcp is not None and rtcp.port != 0:
        if rtcp.address not in {None, own}:
            raise NotActedOn("forged")
        _require_unprivileged(rtcp.port)
    is_pair = _is_pair(media)
    if is_pair and media.port == 65535:
        raise NotActedOn("malformed")
    yield found(
        media.start, media.end, own, media.port, _write_port, consecutive=2 if is_pair else 1,
        apart=_apart(data, media) if is_pair else None,
    )  # fmt: skip
    if rtcp is not None and rtcp.port != 0 and not is_pair:
        yield found(rtcp.start, rtcp.end, rtcp.address, rtcp.port, partial(_write_rtcp, rtcp))


def _apart(data: bytes, media: Media) -> Apart | None:
    """Where a=rtcp is written, if RTCP does not come to the port behind RTP's (RFC 3605).

    That is so where the phone has begun to send before it answers: its ports have mappings already. A line
    that the phone wrote itself is written in any case.
    """
    if (rtcp := media.rtcp) is not None:
        return Apart(rtcp.start, rtcp.end, partial(_write_second, rtcp), always=True)
    start, end = media.tail
    return Apart(start, end, partial(_write_line, data[start:end])) if start < end else None


def _transport(media: Media) -> str | None:
    """What the media come by; "": they are fetched from the other side. None: media of another kind."""
    protocol = media.protocol
    if media.has_row or protocol.startswith(b"TCP/MSRP"):
        return None  # MSRP has its endpoint in a URI, too
    if protocol.startswith(b"TCP"):
        return "" if media.setup == b"active" or media.port == _DISCARD else "tcp"
    return "udp" if b"RTP" in protocol or protocol.startswith((b"UDP", b"DTLS")) else None


def _is_pair(media: Media) -> bool:
    """Does RTCP come to the next port (RFC 3550 section 11)? Many phones say so by a=rtcp, too."""
    is_rtp = b"RTP" in media.protocol and not media.protocol.startswith(b"TCP")
    rtcp = media.rtcp
    return is_rtp and not media.rtcp_mux and (rtcp is None or rtcp.port == media.port + 1)


def _require_unprivileged(port: int) -> None:
    if port < LEAST_PORT:
        raise NotActedOn("privileged")


def _start(place: Found | Named) -> int:
    return place.start


def _write_line(end: bytes, _: IPv4Address, ports: Sequence[int]) -> bytes:
    return b"%sa=rtcp:%d%s" % (end, ports[1], end)


def _write_rtcp(rtcp: Rtcp, address: IPv4Address, port: int) -> bytes:
    return b"%d%s%s" % (port, rtcp.between, written(address)) if rtcp.between else b"%d" % port


def _write_second(rtcp: Rtcp, address: IPv4Address, ports: Sequence[int]) -> bytes:
    return _write_rtcp(rtcp, address, ports[1])


def _write_connection(end: bytes, own: IPv4Address, _: IPv4Address, __: int) -> bytes:
    return b"%sc=IN IP4 %s%s" % (end, written(own), end)


def _write_address(address: IPv4Address, _: int) -> bytes:
    return written(address)


def _write_port(_: IPv4Address, port: int) -> bytes:
    return b"%d" % port
