"""One IRC client's connection to a server (RFC 1459, 2812, IRCv3 message tags), line by line.

What is stored: of each side the line that has begun, and whether the side has begun like IRC. Also whether
the server has welcomed the client. Who writes: each line that was read. What ends it: the dialogue leaves, or
the session ends.

DCC is a CTCP message: it stands between two \\x01 in the text of a PRIVMSG or NOTICE, and nowhere else. `dcc`
reads it. No line of the client may be HTTP's: a script can make a browser begin with NICK.

Only a client behind the router is helped: an internal server passes on what strangers wrote.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import NotActedOn, Place, Session, Side
from nfmasq.helpers.kit.dialogue import Leave, LineDialogue
from nfmasq.helpers.kit.lines import is_http_header, is_http_request, may_become
from nfmasq.helpers.protocols.irc import dcc

TAGS, MESSAGE = 8191, 512
"""Bytes of a line: of its tags, and of its message with the line's end."""
MOST_CTCP = 32
"""CTCP messages in a line; a line has no room for more endpoints."""

_FIRST = tuple(b"PASS NICK USER CAP AUTHENTICATE WEBIRC STARTTLS".split())
"""Commands that a client begins with."""
_SERVER_FIRST = (b":", b"@", *b"NOTICE PING ERROR CAP AUTHENTICATE".split())
_MARK = b"\x01"

_HEAD = re.compile(rb"(@[^ \r\n]+ +)?(?::[^ \r\n]+ +)?([A-Za-z]+|\d{3})(?=[ \r\n])")
_TEXT_OF = re.compile(rb" +[^ :\r\n][^ \r\n]* +:")
_LONGEST = IPv4Address("255.255.255.255"), 65535


class IrcDialogue(LineDialogue):
    """One client's connection to a server."""

    def __init__(self, session: Session) -> None:
        super().__init__(TAGS + MESSAGE)
        self._session = session
        self._begun = dict.fromkeys(Side, False)
        self._welcomed = False

    def _anchor(self, side: Side, line: bytes) -> None:
        """Raise Leave at a line of HTTP, or where the side's first line does not begin like IRC."""
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

    def hear(self, side: Side, at: int, line: bytes) -> Iterator[Place | NotActedOn]:
        """The endpoints in the CTCP messages of a line."""
        self._anchor(side, line)
        head = _HEAD.match(line)
        if head is None or b"\r" in line[:-2] or b"\0" in line:
            return  # servers differ in where such a line ends
        if side is Side.OUTSIDE and head[2] == b"001":
            self._welcomed = True
        if side is Side.OUTSIDE and head[2] == b"670":
            raise Leave  # STARTTLS: the next bytes are TLS
        room = MESSAGE - (len(line) - head.end(1) if head[1] else len(line))
        for begin, text, is_ctcp in _texts(line, head):
            try:
                if is_ctcp:
                    one = dcc.message(side, at + begin, text, self._session)
                else:
                    one = dcc.shown(at + begin, text) if side is Side.INSIDE else None
                if one is None:
                    continue
                if not self._welcomed:
                    raise NotActedOn("not_allowed")
                longest = one.write(*_LONGEST) if one.write else b""
                room -= max(0, len(longest) - (one.end - one.start))
                if room < 0:
                    raise NotActedOn("too_long")
                yield one
            except NotActedOn as why:
                yield why

    def wait_from(self, side: Side, line: bytes) -> int:
        """Of a message that has begun, a text that is DCC or may become DCC waits."""
        self._anchor(side, line)
        head = _HEAD.match(line)
        if head is None or len(line) - head.start(2) > MESSAGE:
            return len(line)
        waiting = (begin for begin, text, _ in _texts(line, head) if text and may_become(text, (b"DCC ",)))
        return next(waiting, len(line))


def _texts(line: bytes, head: re.Match[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Each CTCP message of a line, and the text that a NOTICE begins with.

    Each with where it begins in the line, and whether it is a CTCP message. The line's end ends the last one,
    too.
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
