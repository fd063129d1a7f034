"""IRC (RFC 1459, 2812, IRCv3 message tags): the endpoints that DCC offers, resumes and accepts name.

What is stored of a session: of each side the line that has begun; whether client and server have each begun
like IRC, and whether the server has welcomed the client. Lines alone write it.

DCC is a CTCP message: between two \\x01 in the text of a PRIVMSG or NOTICE, nowhere else. An offer has an
address and a port; the answer to an offer with port 0 and a token (passive DCC) looks the same, and such an
offer has nothing to open. RESUME names the port of the offer as the peer heard it, ACCEPT names it again as
the one who offered knows it. `irc_dcc` reads all of these.

No line of the client may be HTTP's: a script in a browser can be made to begin with NICK.

Only a client behind the router is helped: what an internal server says was told to it by strangers.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import MOST_FOUND, Dialogue, Place, Reading, Refusal, Session, Side, may_become
from nfmasq.helpers.kit.lines import Speech, is_http_header, is_http_request
from nfmasq.helpers.protocols import irc_dcc

TAGS, MESSAGE = 8191, 512
"""Bytes a line may have: its tags, and the rest with its end."""
MOST_CTCP = 32
"""Messages in a line; more of use have no room in one."""

_FIRST = tuple(b"PASS NICK USER CAP AUTHENTICATE WEBIRC STARTTLS".split())
"""With what a client begins."""
_SERVER_FIRST = (b":", b"@", *b"NOTICE PING ERROR CAP AUTHENTICATE".split())
_MARK = b"\x01"

_HEAD = re.compile(rb"(@[^ \r\n]+ +)?(?::[^ \r\n]+ +)?([A-Za-z]+|\d{3})(?=[ \r\n])")
_TEXT_OF = re.compile(rb" +[^ :\r\n][^ \r\n]* +:")
_LONGEST = IPv4Address("255.255.255.255"), 65535


class Leave(Exception):
    """This is not IRC, or it can be read no longer."""


class Irc:
    """The helper. It has no options."""

    name = "irc"
    transport = "tcp"
    ports: tuple[int, ...] = (6667,)
    enabled_by_default = False
    about = "Internet Relay Chat: DCC SEND, CHAT, RESUME and their kind"

    examples = (
        (Side.INSIDE, b"CAP LS 302\r\nNICK ann\r\nUSER ann 0 * :Ann\r\n"),
        (Side.OUTSIDE, b":irc.example NOTICE * :*** Looking up\r\n:irc.example 001 ann :Welcome\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC SEND file.txt 3232235786 5000 1234\x01\r\n"),
        (Side.OUTSIDE, b":bob!b@host PRIVMSG ann :\x01DCC RESUME file.txt 5000 100\x01\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC ACCEPT file.txt 5000 100\x01\r\n"),
        (Side.INSIDE, b'@label=1 PRIVMSG bob :\x01DCC SEND "a b" 3232235786 5001 9 77\x01\r\n'),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC CHAT chat 3232235786 5002\x01\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC SEND passive.txt 3232235786 0 9 78\x01\r\n"),
        (Side.INSIDE, b"NOTICE bob :DCC Send dotted.txt (192.168.1.10)\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC SEND dotted.txt 192.168.1.10 5003 9\x01\r\n"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a connection to a server that begins."""
        return Conversation(session)


class Conversation:
    """One client's connection to a server."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._speech = {side: Speech(TAGS + MESSAGE) for side in Side}
        self._begun = dict.fromkeys(Side, False)
        self._welcomed = False

    def read(self, side: Side, data: bytes) -> Reading:
        """Read messages of the client or of the server."""
        speech = self._speech[side]
        lines, begun = speech.cut(data)
        found: list[Place] = []
        refused: list[str] = []
        try:
            for at, line in lines:
                self._anchor(side, line)
                found += self._hear(side, at, line, refused)
                if len(found) > MOST_FOUND:
                    raise Leave
            if speech.overrun:
                raise Leave
            self._anchor(side, begun[1])
            taken = speech.take(data, begun, _hold_from)
        except Leave:
            return Reading(len(data), found[:MOST_FOUND], leave=True, refused=refused)
        return Reading(taken, found, refused=refused)

    def _anchor(self, side: Side, line: bytes) -> None:
        """Leave unless the side's first line, or what there is of it, is IRC's; or at a line of HTTP's."""
        if side is Side.INSIDE and is_http_header(line):
            raise Leave
        if self._begun[side] or not line:
            return
        if not self._session.inside_began or not may_become(
            line, _FIRST if side is Side.INSIDE else _SERVER_FIRST
        ):
            raise Leave
        if line.endswith(b"\n"):
            head = _HEAD.match(line)
            if head is None or (side is Side.INSIDE and head[2].upper() not in _FIRST):
                raise Leave
            if is_http_request(line):
                raise Leave
            self._begun[side] = True

    def _hear(self, side: Side, at: int, line: bytes, refused: list[str]) -> Iterator[Place]:
        head = _HEAD.match(line)
        if head is None or b"\r" in line[:-2] or b"\0" in line:
            return  # servers differ in where such a line ends
        if side is Side.OUTSIDE and head[2] == b"001":
            self._welcomed = True
        if side is Side.OUTSIDE and head[2] == b"670":
            raise Leave  # STARTTLS: the rest is TLS
        room = MESSAGE - (len(line) - head.end(1) if head[1] else len(line))
        for begin, text, is_ctcp in _texts(line, head):
            try:
                if is_ctcp:
                    one = irc_dcc.message(side, at + begin, text, self._session)
                else:
                    one = irc_dcc.shown(at + begin, text) if side is Side.INSIDE else None
                if one is None:
                    continue
                if not self._welcomed:
                    raise Refusal("not_allowed")
                room -= max(0, len(one.write(*_LONGEST)) - (one.end - one.start))
                if room < 0:
                    raise Refusal("too_long")
                yield one
            except Refusal as why:
                refused.append(str(why))


def _texts(line: bytes, head: re.Match[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Each CTCP message of a line, and what a NOTICE begins with: where it begins, it, and whether it is one.

    The line's end ends the last one, too.
    """
    word = head[2].upper()
    text = _TEXT_OF.match(line, head.end()) if word in {b"PRIVMSG", b"NOTICE"} else None
    if text is None:
        return
    at = text.end()
    for number, piece in enumerate(line[at:].rstrip(b"\r\n").split(_MARK, 2 * MOST_CTCP)):
        if number % 2 or (number == 0 and word == b"NOTICE"):
            yield at, piece, number % 2 == 1
        at += len(piece) + 1


def _hold_from(line: bytes) -> int:
    """Of a message that has begun, a text that is DCC's or may become it must wait."""
    head = _HEAD.match(line)
    if head is None or len(line) - head.start(2) > MESSAGE:
        return len(line)
    return next(
        (begin for begin, text, _ in _texts(line, head) if text and may_become(text, (b"DCC ",))), len(line)
    )
