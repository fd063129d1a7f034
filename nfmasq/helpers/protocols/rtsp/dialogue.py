"""One RTSP connection (RFC 2326, RFC 7826), header line by header line.

What is stored: of each side the line that has begun and the message under way; the setups of the connection
(`setups`). Who writes: each line that was read whole. What ends it: the dialogue leaves, or the session ends.

The internal side's endpoints become external: a client's in SETUP, a server's in the reply to SETUP. A remote
server's reply repeats the client's endpoints: they become what the client wrote. A remote client's endpoints
are left as they are. Only the text of an internal Transport header waits, or of one in a remote reply, until
the next line begins: it may be folded. Some servers send a reply's first line alone, and the remainder when
it was acknowledged.

Every message must begin with RTSP's first line. Otherwise another protocol uses the port (HTTP that carries
RTSP, PNA, TLS), or nobody knows where a message begins, and the dialogue leaves.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from nfmasq.helpers.kit.anchoring import Opening
from nfmasq.helpers.kit.base import MOST_FOUND, Admitted, NotActedOn, Place, Reading, Session, Side
from nfmasq.helpers.kit.dialogue import Leave, LineDialogue
from nfmasq.helpers.kit.lines import behind
from nfmasq.helpers.kit.messages import MessageSpeech
from nfmasq.helpers.protocols.rtsp import endpoints, transport
from nfmasq.helpers.protocols.rtsp.setups import Message, Setups, kept
from nfmasq.helpers.protocols.rtsp.transport import OF_CLIENT, OF_SERVER, Alternative

LONGEST = 8192
"""Bytes of a line: URLs, and what programs say about themselves, may be long."""
MOST_HEADERS = 128
"""Lines of a message: a sender of more wants to keep the helper busy."""
MOST_PARAMETERS_AT_ONCE = 256
"""Parameters in one reading: as with lines."""
MOST_PLACES = 16
"""Places of one message that are acted on."""
MOST_OTHER_HOSTS = 2
"""Hosts that the media of one reply may come from, other than the server's: RTP's and RTCP's."""

_VERBS = (
    b"OPTIONS DESCRIBE ANNOUNCE SETUP PLAY PAUSE RECORD TEARDOWN REDIRECT "
    b"GET_PARAMETER SET_PARAMETER PLAY_NOTIFY"
).split()
_TARGET = rb" *([^ \r\n]+) +RTSP/[12]\.\d[ \t]*\r?\n"
_REQUEST = re.compile(rb"([A-Z_]+) " + _TARGET)
_REPLY = re.compile(rb"RTSP/[12]\.\d +([1-5]\d\d)(?: [^\r\n]*)?\r?\n")
_HEADER = re.compile(rb"(CSeq|Session|Transport)[ \t]*:(.*)", re.IGNORECASE | re.DOTALL)
_TRANSPORT = re.compile(rb"Transport[ \t]*:[ \t]*", re.IGNORECASE)
_CLIENT = Opening(
    [b"%b " % verb for verb in _VERBS], re.compile(rb"(?:%b) %b" % (b"|".join(_VERBS), _TARGET))
)
_SERVER = Opening((b"RTSP/1.", b"RTSP/2."), _REPLY)


class RtspDialogue(LineDialogue):
    """One connection."""

    def __init__(self, session: Session) -> None:
        self._client = Side.INSIDE if session.inside_began else Side.OUTSIDE
        super().__init__(LONGEST, MessageSpeech, {self._client: _CLIENT, self._client.other: _SERVER})
        self._session = session
        self._under_way: dict[Side, Message | None] = dict.fromkeys(Side)
        self._setups = Setups()
        self._parameters = 0
        self._admitted: list[Admitted] = []
        self._ended: set[int] = set()

    def read(self, side: Side, data: bytes) -> Reading:
        """Read what a side says next (Dialogue)."""
        self._parameters = 0
        reading = super().read(side, data)
        if self._admitted or self._ended:
            ended = sorted(self._ended)[:MOST_FOUND]  # the others end with the next reading
            reading = reading._replace(
                admitted=self._admitted[:MOST_FOUND], ended=[("udp", port) for port in ended]
            )
            self._admitted, self._ended = [], self._ended.difference(ended)
        return reading

    def hear(self, side: Side, at: int, line: bytes) -> Iterable[Place | NotActedOn]:
        """The endpoints in a line of a message's headers."""
        message = self._under_way[side]
        if message is None:
            self._under_way[side] = _first_line(line)
        elif line in {b"\r\n", b"\n"}:
            self._under_way[side] = None
            self._end(side, message)
        else:
            message.lines += 1
            if message.lines > MOST_HEADERS:
                raise Leave
            return self._header(side, message, at, line)
        return ()

    def wait_from(self, side: Side, line: bytes) -> int:
        """The text of a Transport header waits."""
        message = self._under_way[side]
        may_wait = message is not None and self._may_be_rewritten(side, message)
        return behind(_TRANSPORT, line) if may_wait else len(line)

    def _may_be_rewritten(self, side: Side, message: Message) -> bool:
        """Can the message's Transport header name endpoints that are written anew?"""
        if side is self._client:
            return side is Side.INSIDE and message.method == b"SETUP"
        if side is Side.OUTSIDE:
            return bool(message.code)
        return message.code.startswith(b"2") and self._setups.awaits_setup(message.number)

    def _header(self, side: Side, message: Message, at: int, line: bytes) -> Iterator[Place | NotActedOn]:
        match = _HEADER.match(line)
        if match is None:
            return
        name, text, at = match[1].upper(), match[2], at + match.start(2)
        if name == b"CSEQ":
            message.number = kept(text.strip())
        elif name == b"SESSION":
            message.session = kept(text.partition(b";")[0].strip())
        elif self._may_be_rewritten(side, message) or (side is not self._client and message.code):
            self._parameters += transport.parameters_in(text)
            if self._parameters > MOST_PARAMETERS_AT_ONCE:
                raise Leave
            for each in transport.alternatives(text, at):
                message.is_udp = bool(message.is_udp) or each.is_udp
                try:
                    yield from self._places(side, message, each, (text, at))
                except NotActedOn as why:
                    yield why

    def _places(
        self, side: Side, message: Message, alternative: Alternative, text: tuple[bytes, int]
    ) -> Sequence[Place]:
        """The places in an alternative. text: its header's, and where that begins. Raises NotActedOn."""
        if not self._may_be_rewritten(side, message):
            return ()
        places: Sequence[Place]
        if side is Side.OUTSIDE:
            if not alternative.is_udp:
                return ()
            self._note_sources(message, alternative)
            places = endpoints.mentioned(alternative.slots(OF_CLIENT))
        else:
            names = OF_CLIENT if side is self._client else OF_SERVER
            slots = alternative.slots(names) if alternative.is_udp else alternative.addresses(names)
            alone = slots if alternative.is_udp else [slot for slot in slots if slot.port is None]
            places = endpoints.announced(alone, *text, message.rows)
        new = endpoints.rows(places)
        ports = {port for first in new for port in range(first, first + new[first])}
        if message.places + len(places) > MOST_PLACES or (
            ports and not self._setups.has_room(len(message.ports) + len(ports))
        ):
            raise NotActedOn("no_room")
        message.places += len(places)
        message.rows |= new
        message.ports |= ports
        return places

    def _note_sources(self, message: Message, alternative: Alternative) -> None:
        known = {self._session.remote[0], *message.sources}
        new = {slot.address: None for slot in alternative.addresses(OF_SERVER) if slot.address}
        message.sources += [each for each in new if each not in known]
        del message.sources[MOST_OTHER_HOSTS:]

    def _end(self, side: Side, message: Message) -> None:
        """A message's headers are whole."""
        if side is self._client and message.method:
            self._setups.asked(message)
        elif side is not self._client and message.code:
            ports, ended = self._setups.answered(message)
            self._ended |= ended
            if side is Side.OUTSIDE:
                self._admitted += [
                    Admitted("udp", port, each) for port in sorted(ports) for each in message.sources
                ]


def _first_line(line: bytes) -> Message:
    """What a message begins with. Raises Leave: it is none of RTSP's."""
    if request := _REQUEST.fullmatch(line):
        return Message(method=request[1], url=kept(request[2]))
    if reply := _REPLY.fullmatch(line):
        return Message(code=reply[1])
    raise Leave
