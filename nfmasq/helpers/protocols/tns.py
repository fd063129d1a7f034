"""Oracle Net (TNS): a listener inside sends a client on to another port, by a REDIRECT packet.

Source: captures, and the thin driver of python-oracledb. A packet has a length of two bytes, a checksum, a
type and flags. The text "(ADDRESS=(PROTOCOL=tcp)(HOST=192.168.1.10)(PORT=2143))" stands in the REDIRECT
packet, or in a DATA packet behind it; the REDIRECT then holds the text's length alone. What follows a NUL in
the text is the client's own. 1521/tcp.

Rewritten: HOST and PORT, and all lengths, where a forward leads to the listener. A HOST that is a name stays,
for the outside resolves it as it did before. Not rewritten: a redirect to another host, such as a cluster's
node; forward that one's port. Nothing is read behind ACCEPT, when packets change their form.
"""

import re
from typing import NamedTuple

from nfmasq.helpers.kit import endpoints
from nfmasq.helpers.kit.base import Dialogue, NotActedOn, Place, Reading, Session, Side, Size
from nfmasq.helpers.kit.numbers import dotted

CONNECT, REDIRECT, DATA, RESEND = 1, 5, 6, 11
MOST_PACKETS = 16
"""Of the listener, in one reading."""
HEADER = 8
TEXT = 10
"""Where text begins: in REDIRECT behind its length, in DATA behind two bytes of flags."""
LONGEST = 2000
"""Bytes of a REDIRECT, and of the text in its DATA."""
MOST_ENDPOINTS = 8

_LENGTH_AT, _TYPE_AT = 8, 4
_HOST = re.compile(rb"\(\s*HOST\s*=\s*([^()=\s]{1,255})\s*\)", re.IGNORECASE)
_PORT = re.compile(rb"\(\s*PORT\s*=\s*(\d{1,20})\s*\)", re.IGNORECASE)
_ADDRESS = re.compile(endpoints.DOTTED)


class Malformed(Exception):
    """This is no TNS, or it cannot be followed any longer."""


class Tns:
    """The helper. It has no options."""

    name = "tns"
    transport = "tcp"
    ports: tuple[int, ...] = (1521,)
    enabled_by_default = False
    about = "Oracle Net listeners inside: the endpoint that a client is sent on to"

    examples_from_outside = (
        (Side.OUTSIDE, b"\0\x10\0\0\1\0\0\0(CONNECT"),
        (Side.INSIDE, b"\0\x08\0\0\x0b\0\0\0"),
        (Side.INSIDE, b"\0\x41\0\0\5\0\0\0\0\x37(ADDRESS=(PROTOCOL=tcp)(HOST=192.168.1.10)(PORT=20143))"),
        (Side.INSIDE, b"\0\x0a\0\0\5\0\0\0\0\x2f"),
        (Side.INSIDE, b"\0\x39\0\0\6\0\0\0\0\0(ADDRESS=(PORT=20143)(HOST=192.168.1.10))\0(D=x)"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a client's connection to the listener."""
        return TnsDialogue(session)


class TnsDialogue:
    """A connection to a listener. Stored: whether the client began as it must."""

    def __init__(self, session: Session) -> None:
        self._is_listener_inside = not session.inside_began
        self._has_connected = False

    def read(self, side: Side, data: bytes) -> Reading:
        """The endpoints in redirects of the listener."""
        if not self._is_listener_inside:
            return Reading(len(data), leave=True)
        if side is Side.INSIDE:
            return self._hear(data) if self._has_connected else Reading(len(data), leave=True)
        if not self._has_connected and len(data) <= _TYPE_AT:
            return Reading(0)
        self._has_connected = self._has_connected or data[_TYPE_AT] == CONNECT
        return Reading(len(data), leave=not self._has_connected)

    def _hear(self, data: bytes) -> Reading:
        """The listener's packets, up to one that is not whole."""
        at = 0
        places: list[Place] = []
        left_alone: list[str] = []
        whole: list[tuple[int, int]] = []
        try:
            for _ in range(MOST_PACKETS):
                redirect = _redirect(data, at)
                if redirect is None:
                    return Reading(at, places, not_acted_on=left_alone, whole=whole)
                if redirect.end > redirect.text:
                    try:
                        places += redirect.places(data)
                        whole.append((redirect.text, redirect.end))
                    except NotActedOn as why:
                        left_alone.append(str(why))
                at = redirect.end
        except Malformed:
            pass
        return Reading(len(data), places, True, left_alone, whole=whole)


class Redirect(NamedTuple):
    """A REDIRECT with its DATA. begin, data: where the packets begin. text, end: where the text does."""

    begin: int
    data: int
    text: int
    end: int

    def places(self, data: bytes) -> list[Place]:
        """The lengths, and the endpoints in the text. Raises NotActedOn."""
        at, until = self.begin, self.end
        sizes = [Size(at + _LENGTH_AT, at + TEXT, self.text, until, _two_bytes)]
        if self.data == at:
            sizes.append(Size(at, at + 2, at, until, _two_bytes))
        else:
            sizes.append(Size(self.data, self.data + 2, self.data, until, _two_bytes))
        return sorted([*sizes, *_endpoints(data, self.text, until)], key=lambda each: each.start)


def _redirect(data: bytes, at: int) -> Redirect | None:
    """The redirect that begins there; of RESEND, one without a text; None: it is not whole.

    Raises Malformed for any other packet.
    """
    if len(data) - at < HEADER:
        return None
    length, kind = int.from_bytes(data[at : at + 2]), data[at + _TYPE_AT]
    if kind == RESEND and length == HEADER:
        return Redirect(at, at, at + HEADER, at + HEADER)
    if kind != REDIRECT or not TEXT <= length <= LONGEST:
        raise Malformed
    if len(data) - at < length:
        return None
    text = int.from_bytes(data[at + _LENGTH_AT : at + TEXT])
    if length == TEXT + text:
        return Redirect(at, at, at + TEXT, at + length)
    if length != TEXT or text > LONGEST:
        raise Malformed
    behind = at + length
    if len(data) - behind < TEXT + text:
        return None
    if data[behind + _TYPE_AT] != DATA or int.from_bytes(data[behind : behind + 2]) != TEXT + text:
        raise Malformed
    return Redirect(at, behind, behind + TEXT, behind + TEXT + text)


def _endpoints(data: bytes, at: int, end: int) -> list[Place]:
    """The endpoints of a text, up to its NUL. Raises NotActedOn."""
    nul = data.find(b"\0", at, end)
    until = end if nul < 0 else nul
    hosts, ports = list(_HOST.finditer(data, at, until)), list(_PORT.finditer(data, at, until))
    if len(hosts) != len(ports) or len(hosts) > MOST_ENDPOINTS:
        raise NotActedOn("malformed")
    places: list[Place] = []
    for host, port in zip(hosts, ports, strict=True):
        address = dotted(host[1]) if _ADDRESS.fullmatch(host[1]) else None
        places.append(endpoints.port_alone(port, 0)._replace(address=address, reader="tns"))
        if address is not None:
            places.append(endpoints.address_alone(host, 0))
    return places


def _two_bytes(length: int) -> bytes:
    return length.to_bytes(2)


HELPER = Tns
