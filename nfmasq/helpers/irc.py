"""IRC (RFC 1459, 2812, IRCv3 message tags): the endpoints that DCC offers, resumes and accepts name.

What is stored of a session: of each side the line that has begun; whether client and server have each begun
like IRC, and whether the server has welcomed the client. Lines alone write it.

DCC is a CTCP message: between two \\x01 in the text of a PRIVMSG or NOTICE, nowhere else. An offer has an
address, as one decimal number, and a port; the answer to an offer with port 0 and a token (passive DCC) looks
the same, and such an offer has nothing to open. RESUME names the port of the offer as the peer heard it,
ACCEPT names it again as the one who offered knows it.

Only a client behind the router is helped: what an internal server says was told to it by strangers.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from nfmasq.helpers.base import Dialogue, Found, Mentioned, Reading, Refusal, Session, Side, may_become
from nfmasq.helpers.lines import Speech

TAGS, MESSAGE = 8191, 512
"""Bytes a line may have: its tags, and the rest with its end."""

_FIRST = tuple(b"PASS NICK USER CAP AUTHENTICATE WEBIRC STARTTLS".split())
"""With what a client begins."""
_SERVER_FIRST = (b":", b"@", *b"NOTICE PING ERROR CAP AUTHENTICATE".split())
_MARK = b"\x01"

_HEAD = re.compile(rb"(@[^ \r\n]+ +)?(?::[^ \r\n]+ +)?([A-Za-z]+|\d{3})(?=[ \r\n])")
_TEXT_OF = re.compile(rb" +[^ :\r\n][^ \r\n]* +:")
_DCC = re.compile(rb"DCC +([A-Za-z]+) +(?:\"[^\"]*\"|[^ \"][^ ]*) +(.*)", re.IGNORECASE | re.DOTALL)
_ENDPOINT = re.compile(rb"(\d{1,20}) +(\d{1,20})(?: .*)?", re.DOTALL)
_PORT = re.compile(rb"(\d{1,20})(?: .*)?", re.DOTALL)
_OFFERS = {b"CHAT", b"SCHAT", b"SEND", b"SSEND", b"TSEND", b"MOVE"}
_LONGEST_ENDPOINT = len("4294967295 65535")


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
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a connection to a server that begins."""
        return Conversation(session)


class Conversation:
    """One client's connection to a server."""

    def __init__(self, session: Session) -> None:
        self._ours = session.inside_began
        self._speech = {side: Speech(TAGS + MESSAGE) for side in Side}
        self._begun = dict.fromkeys(Side, False)
        self._welcomed = False

    def read(self, side: Side, data: bytes) -> Reading:
        """Read messages of the client or of the server."""
        speech = self._speech[side]
        lines, begun = speech.cut(data)
        found: list[Found | Mentioned] = []
        refused: list[str] = []
        try:
            for at, line in lines:
                self._anchor(side, line)
                found += self._hear(side, at, line, refused)
            if speech.overrun:
                raise Leave
            self._anchor(side, begun[1])
            taken = speech.take(data, begun, _hold_from)
        except Leave:
            return Reading(len(data), found, leave=True, refused=refused)
        return Reading(taken, found, refused=refused)

    def _anchor(self, side: Side, line: bytes) -> None:
        """Leave unless the side's first line, or what there is of it, is IRC's."""
        if self._begun[side] or not line:
            return
        if not self._ours or not may_become(line, _FIRST if side is Side.INSIDE else _SERVER_FIRST):
            raise Leave
        if line.endswith(b"\n"):
            head = _HEAD.match(line)
            if head is None or (side is Side.INSIDE and head[2].upper() not in _FIRST):
                raise Leave
            self._begun[side] = True

    def _hear(self, side: Side, at: int, line: bytes, refused: list[str]) -> Iterator[Found | Mentioned]:
        head = _HEAD.match(line)
        if head is None or b"\r" in line[:-2] or b"\0" in line:
            return  # servers differ in where such a line ends
        if side is Side.OUTSIDE and head[2] == b"001":
            self._welcomed = True
        if side is Side.OUTSIDE and head[2] == b"670":
            raise Leave  # STARTTLS: the rest is TLS
        room = MESSAGE - (len(line) - head.end(1) if head[1] else len(line))
        for begin, text in _ctcp(line, head):
            try:
                one = _dcc(side, at + begin, text)
                if one is None:
                    continue
                if not self._welcomed:
                    raise Refusal("not_allowed")
                room -= max(0, _LONGEST_ENDPOINT - (one.end - one.start))
                if room < 0:
                    raise Refusal("too_long")
                yield one
            except Refusal as why:
                refused.append(str(why))


def _ctcp(line: bytes, head: re.Match[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each CTCP message of a line and where it begins; the line's end ends the last one, too."""
    if head[2].upper() not in {b"PRIVMSG", b"NOTICE"}:
        return
    text = _TEXT_OF.match(line, head.end())
    if text is None:
        return
    at = text.end()
    for number, piece in enumerate(line[at:].rstrip(b"\r\n").split(_MARK)):
        if number % 2:
            yield at, piece
        at += len(piece) + 1


def _hold_from(line: bytes) -> int:
    """Of a message that has begun, a CTCP message that is DCC's or may become it must wait."""
    head = _HEAD.match(line)
    if head is not None:
        for begin, text in _ctcp(line, head):
            if text and may_become(text, (b"DCC ",)):
                return begin
    return len(line)


def _dcc(side: Side, at: int, text: bytes) -> Found | Mentioned | None:
    """What a CTCP message says of an endpoint, or nothing."""
    match = _DCC.fullmatch(text)
    if match is None:
        return None
    kind, begin = match[1].upper(), match.start(2)
    if side is Side.INSIDE and kind in _OFFERS:
        return _offer(_ENDPOINT.fullmatch(text, begin), at)
    if (side, kind) in {(Side.INSIDE, b"ACCEPT"), (Side.OUTSIDE, b"RESUME")}:
        return _again(side, _PORT.fullmatch(text, begin), at)
    return None


def _offer(match: re.Match[bytes] | None, at: int) -> Found | None:
    if match is None:
        raise Refusal("malformed")
    address, port = _number(match[1], 0xFFFFFFFF), _number(match[2], 0xFFFF)
    if port == 0:
        return None
    return Found(at + match.start(1), at + match.end(2), IPv4Address(address), port, _write_both, anyone=True)


def _again(side: Side, match: re.Match[bytes] | None, at: int) -> Found | Mentioned | None:
    if match is None:
        raise Refusal("malformed")
    begin, end, port = at + match.start(1), at + match.end(1), _number(match[1], 0xFFFF)
    if port == 0:
        return None
    if side is Side.OUTSIDE:
        return Mentioned(begin, end, port, _write_port)
    return Found(begin, end, None, port, _write_port, anyone=True, reuse=True)


def _write_both(address: IPv4Address, port: int) -> bytes:
    return b"%d %d" % (int(address), port)


def _write_port(_: IPv4Address, port: int) -> bytes:
    return b"%d" % port


def _number(digits: bytes, most: int) -> int:
    number = int(digits)
    if number > most:
        raise Refusal("malformed")
    return number
