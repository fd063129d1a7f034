"""One session between a phone and its proxy or registrar (RFC 3261), message by message.

What is stored: of a TCP stream where its messages begin (`framing`), and its `registrations`. What other
sessions of the host must know is in `phone`: the calls, and whether the phone's signalling endpoint is
translated. Who writes: each message that was read. What ends it: over TCP the dialogue leaves where a stream
is no SIP, or has a message whose end cannot be known. Over UDP it never leaves: pings, STUN and junk pass
between messages.

A message that cannot be understood passes as it is, and is counted. A text counts as a message only where one
may begin: at the start of a datagram or a stream, and behind another message. A browser that is made to send
SIP in its own request, or in TURN's, opens nothing.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from nfmasq.helpers.kit import media, sdp
from nfmasq.helpers.kit.base import (
    MOST_FOUND,
    Admitted,
    Found,
    NotActedOn,
    Place,
    Reading,
    Session,
    Side,
    Size,
)
from nfmasq.helpers.kit.call_media import Port
from nfmasq.helpers.protocols.sip import bodies, signalling
from nfmasq.helpers.protocols.sip.calls import OFFERING, Calls
from nfmasq.helpers.protocols.sip.decisions import Decisions
from nfmasq.helpers.protocols.sip.framing import Framing
from nfmasq.helpers.protocols.sip.message import (
    METHODS,
    Message,
    NotSip,
    behind_blanks,
    read_message,
    require_headers,
)
from nfmasq.helpers.protocols.sip.phone import Phone
from nfmasq.helpers.protocols.sip.registrations import Registrations


class _Read(NamedTuple):
    """What came of the messages read so far."""

    found: list[Place]
    left_alone: list[str]
    admitted: list[Admitted]
    whole: list[tuple[int, int]]


class SipDialogue:
    """One session. full: the phone's signalling endpoint is translated, too."""

    __slots__ = "_decisions", "_ended", "_framings", "_hold_s", "_phone", "_registrations", "_session"

    def __init__(self, session: Session, *, full: bool) -> None:
        self._session = session
        self._framings = (Framing(), Framing()) if session.transport == "tcp" else None
        self._phone = session.host if isinstance(session.host, Phone) else Phone()
        self._decisions = Decisions(session, self._phone) if full else None
        self._registrations: Registrations | None = None
        self._hold_s = 0
        self._ended: list[Port] = []

    def read(self, side: Side, data: bytes) -> Reading:
        """Read a datagram, or what a side says next (Dialogue)."""
        read = _Read([], [], [], [])
        self._hold_s = 0
        if self._framings is None:
            self._read_datagram(side, data, read)
            return self._reading(len(data), read)
        cut = self._framings[side.value].cut(data)
        for message in cut.messages:
            try:
                self._take_in(side, data, message, read)
            except NotActedOn as why:
                read.left_alone.append(str(why))
        if len(read.found) > MOST_FOUND:
            return Reading(len(data), leave=True, not_acted_on=["not_allowed"])
        return self._reading(len(data) if cut.is_over else cut.taken, read, leaves=cut.is_over)

    def _reading(self, taken: int, read: _Read, *, leaves: bool = False) -> Reading:
        ended, self._ended = self._ended[:MOST_FOUND], self._ended[MOST_FOUND:]  # the others end next time
        return Reading(
            taken, read.found, leaves, read.left_alone[:MOST_FOUND], read.admitted, ended, self._hold_s,
            read.whole, 0 if self._decisions is None else self._decisions.to_remember(),
        )  # fmt: skip

    def _read_datagram(self, side: Side, data: bytes, read: _Read) -> None:
        """A datagram is one message, behind empty lines; anything else passes."""
        at = behind_blanks(data, 0)
        try:
            message = read_message(data, at)
            if message is None or message.end > len(data):
                raise NotActedOn("malformed")
            self._take_in(side, data, message, read)
        except NotSip:
            if data[at : data.find(b" ", at)] in METHODS:
                read.left_alone.append("malformed")
        except NotActedOn as why:
            read.left_alone.append(str(why))

    def _take_in(self, side: Side, data: bytes, message: Message, read: _Read) -> None:
        """Read one whole message. Raises NotActedOn where it is left alone as a whole.

        What it says of the call counts all the same.
        """
        require_headers(message)
        if not message.status:
            self._note_request(side, message)
        try:
            places = self._in_headers(side, data, message)
            if message.method in OFFERING and message.body < message.end and bodies.has_sdp(message):
                places += self._in_body(side, data, message, read, MOST_FOUND - len(places))
        except NotActedOn:
            if self._decisions is not None and side is Side.INSIDE:
                self._decisions.take_back()
            raise
        finally:
            self._follow(side, message)
        if len(places) > MOST_FOUND:
            raise NotActedOn("not_allowed")
        places.sort(key=attrgetter("start"))
        read.found.extend(places)

    def _in_headers(self, side: Side, data: bytes, message: Message) -> list[Place]:
        """The places of the phone's own endpoint. Raises NotActedOn("malformed")."""
        decisions = self._decisions
        if decisions is None:
            return []
        if side is Side.OUTSIDE:
            uri = signalling.request_uri(data, message)
            if not decisions.of_outside(message, uri):
                return []
            return signalling.inbound(message, uri, self._session, decisions.socket.bare)
        contacts = signalling.contacts_of(message)
        if not decisions.of_inside(message, contacts):
            return []
        via = None if message.status else signalling.topmost_via(message)
        if not message.status:
            decisions.socket.bare = signalling.bare_in(via, contacts, decisions.socket.bare)
        return signalling.outbound(message, via, contacts, self._session)

    def _in_body(self, side: Side, data: bytes, message: Message, read: _Read, room: int) -> list[Place]:
        """The places in the SDP, and the lengths around it. room: how many places may be found.

        Raises NotActedOn: what the inside describes stays as it is, and the headers with it. A server that
        sees a public phone does nothing for one behind a NAT.
        """
        if side is Side.INSIDE:
            places = self._described(data, message, read, room)
            read.whole.extend([(message.start, message.end)] if places else ())
            return places
        try:
            parts = bodies.descriptions(data, message)
            hosts = [host for each in parts for host in sdp.addresses(data, each.start, each.end)]
            calls, peer = self._phone.calls, self._session.remote[0]
            _admit(read, calls.note_hosts(message, hosts, peer) if calls else [])
        except NotActedOn as why:
            read.left_alone.append(str(why))
        return []

    def _described(self, data: bytes, message: Message, read: _Read, room: int) -> list[Place]:
        """What the inside describes. Raises NotActedOn."""
        made: list[Place] = []
        left_alone: list[str] = []
        sizes: dict[int, Size] = {}
        calls = self._phone.calls
        anyone = calls is None or not calls.is_answered(message)
        for part in bodies.descriptions(data, message):
            description = sdp.read(data, part.start, part.end)
            places, left = media.described(data, description, self._session, anyone=anyone)
            for start, end, begin, until in part.lengths if places else ():
                sizes[start] = Size(start, end, begin, until, bodies.write_length)
            made += places
            left_alone += left
        if not made:
            return []
        if calls is None or not calls.may_describe(message) or len(made) + len(sizes) >= room:
            raise NotActedOn("not_allowed")
        found = [each for each in made if isinstance(each, Found)]
        _admit(read, calls.note_media(message, found, self._session.remote[0]))
        read.left_alone.extend(left_alone)
        if message.sized is not None:
            sized = message.sized
            sizes[sized.start] = Size(sized.start, sized.end, message.body, message.end, bodies.write_length)
        return [*made, *sizes.values()]

    def _note_request(self, side: Side, message: Message) -> None:
        if message.method not in OFFERING:
            return
        if self._phone.calls is None:
            self._phone.calls = Calls()
        self._phone.calls.note_request(message, self._session.remote[0], from_outside=side is Side.OUTSIDE)

    def _follow(self, side: Side, message: Message) -> None:
        """Calls that end, and registrations that begin or end."""
        if self._phone.calls is not None:
            self._ended += self._phone.calls.ended(message, from_outside=side is Side.OUTSIDE)
        if message.method != b"REGISTER":
            return
        if self._registrations is None:
            self._registrations = Registrations()
        hold_s = self._registrations.hold_s(side, message, self._session)
        self._hold_s = hold_s or self._hold_s


def _admit(read: _Read, admitted: Sequence[Admitted]) -> None:
    """Let hosts in. Raises NotActedOn where one reading would let in too many."""
    if len(read.admitted) + len(admitted) > MOST_FOUND:
        raise NotActedOn("not_allowed")
    read.admitted.extend(admitted)
