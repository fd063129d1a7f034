"""One session between a phone and its proxy or registrar (RFC 3261), message by message.

What is stored: of a TCP stream where its messages begin (`framing`), the calls (`calls`), and the
registration under way. For each Call-ID: is the phone's signalling endpoint translated? A registration or a
dialog is translated as a whole or not at all. Who writes: each message that was read. What ends it: over TCP
the dialogue leaves where a stream is no SIP, or has a message whose end cannot be known. Over UDP it never
leaves: pings, STUN and junk pass between messages.

A message that cannot be understood passes as it is, and is counted. A text counts as a message only where one
may begin: at the start of a datagram or a stream, and behind another message. A browser that is made to send
SIP in its own request, or in TURN's, opens nothing.
"""

from operator import attrgetter
from typing import NamedTuple

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
from nfmasq.helpers.protocols.sip import bodies, media, sdp, signalling
from nfmasq.helpers.protocols.sip.addresses import Entry
from nfmasq.helpers.protocols.sip.call_media import Port
from nfmasq.helpers.protocols.sip.calls import OFFERING, Calls
from nfmasq.helpers.protocols.sip.framing import Framing
from nfmasq.helpers.protocols.sip.message import (
    METHODS,
    Message,
    NotSip,
    behind_blanks,
    read_message,
    require_headers,
)

MOST_DECIDED = 64
"""Call-IDs for which it is known whether the phone's own endpoint is translated."""


class _Read(NamedTuple):
    """What came of the messages read so far."""

    found: list[Place]
    left_alone: list[str]
    admitted: list[Admitted]
    whole: list[tuple[int, int]]


class SipDialogue:
    """One session. full: the phone's signalling endpoint is translated, too."""

    __slots__ = (
        "_bare", "_calls", "_decided", "_ended", "_framings", "_full", "_hold_s", "_last", "_registering",
        "_session",
    )  # fmt: skip

    def __init__(self, session: Session, *, full: bool) -> None:
        self._session = session
        self._full = full
        self._framings = (Framing(), Framing()) if session.transport == "tcp" else None
        self._bare = signalling.Bare()
        self._calls: Calls | None = None
        self._decided: dict[bytes, bool] = {}
        self._last = full
        self._registering = b""
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
        if max(len(read.found), len(read.admitted)) > MOST_FOUND:
            return Reading(len(data), leave=True, not_acted_on=["not_allowed"])
        return self._reading(len(data) if cut.is_over else cut.taken, read, leaves=cut.is_over)

    def _reading(self, taken: int, read: _Read, *, leaves: bool = False) -> Reading:
        ended, self._ended = self._ended[:MOST_FOUND], self._ended[MOST_FOUND:]  # the others end next time
        return Reading(
            taken, read.found, leaves, read.left_alone[:MOST_FOUND], read.admitted, ended, self._hold_s,
            read.whole,
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
        finally:
            self._follow(side, message)
        if len(places) > MOST_FOUND:
            raise NotActedOn("not_allowed")
        places.sort(key=attrgetter("start"))
        read.found.extend(places)

    def _in_headers(self, side: Side, data: bytes, message: Message) -> list[Place]:
        if not self._full:
            return []
        contacts = signalling.contacts_of(message) if side is Side.INSIDE else []
        if not self._is_translated(message, contacts):
            return []
        if side is Side.OUTSIDE:
            return list(signalling.inbound(data, message, self._session, self._bare))
        via = None if message.status else signalling.topmost_via(message)
        if not message.status:
            self._bare = signalling.bare_in(via, contacts, self._bare)
        return list(signalling.outbound(message, via, contacts, self._session))

    def _is_translated(self, message: Message, contacts: list[Entry]) -> bool:
        """As a registration or a dialog began, so it goes on. contacts: of the inside."""
        name = message.first(b"call-id")
        known = self._decided.get(name)
        says = signalling.is_translated(contacts, self._session)
        if known is not None and (message.method != b"REGISTER" or says is None):
            return known
        if says is not None:
            self._last = says
        while len(self._decided) >= MOST_DECIDED:
            del self._decided[next(iter(self._decided))]
        self._decided[name] = self._last
        return self._last

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
        except NotActedOn as why:
            read.left_alone.append(str(why))
        else:
            peer = self._session.remote[0]
            read.admitted.extend(self._calls.note_hosts(message, hosts, peer) if self._calls else ())
        return []

    def _described(self, data: bytes, message: Message, read: _Read, room: int) -> list[Place]:
        """What the inside describes. Raises NotActedOn."""
        made: list[Place] = []
        left_alone: list[str] = []
        sizes: dict[int, Size] = {}
        anyone = self._calls is None or not self._calls.is_answered(message)
        for part in bodies.descriptions(data, message):
            description = sdp.read(data, part.start, part.end)
            places, left = media.described(data, description, self._session, anyone=anyone)
            for start, end, begin, until in part.lengths if places else ():
                sizes[start] = Size(start, end, begin, until, bodies.write_length)
            made += places
            left_alone += left
        if not made:
            return []
        if self._calls is None or not self._calls.may_describe(message) or len(made) + len(sizes) >= room:
            raise NotActedOn("not_allowed")
        found = [each for each in made if isinstance(each, Found)]
        read.admitted.extend(self._calls.note_media(message, found, self._session.remote[0]))
        read.left_alone.extend(left_alone)
        if message.sized is not None:
            sized = message.sized
            sizes[sized.start] = Size(sized.start, sized.end, message.body, message.end, bodies.write_length)
        return [*made, *sizes.values()]

    def _note_request(self, side: Side, message: Message) -> None:
        if self._calls is None and message.method == b"INVITE":
            self._calls = Calls()
        if self._calls is not None:
            self._calls.note_request(message, from_outside=side is Side.OUTSIDE)

    def _follow(self, side: Side, message: Message) -> None:
        """Calls that end, and registrations that begin or end."""
        if self._calls is not None:
            self._ended += self._calls.ended(message)
        if message.method != b"REGISTER":
            return
        transaction = message.first(b"call-id") + b" " + message.first(b"cseq")
        if side is Side.INSIDE and not message.status:
            self._registering = transaction
        elif side is Side.OUTSIDE and message.status == 200 and transaction == self._registering:
            self._hold_s = signalling.granted_s(message, self._session)
            self._registering = b""
