"""IRC (RFC 1459, 2812, IRCv3 message tags): the endpoints that DCC offers, resumes and accepts name.

DCC is a CTCP message: it stands between two \\x01 in the text of a PRIVMSG or NOTICE, and nowhere else. An
offer has a kind, a name, an address, a port, and more numbers. The address is a decimal number, of some
programs a dotted one. Port 0 is a passive offer, with a token at its end: nothing is opened, but its address
is rewritten. The answer to a passive offer looks like an offer. RESUME names the port of the offer as the
peer heard it; ACCEPT names it again as the offering client knows it. A passive offer's port is 0 and stays.

A name with spaces is in quotes. Where it is not, the endpoint is the one that is the speaker's own.
"""

import re
from collections.abc import Iterator
from itertools import islice

from nfmasq.helpers.kit import endpoints
from nfmasq.helpers.kit.anchoring import NEVER, Opening
from nfmasq.helpers.kit.base import Dialogue, Found, Mentioned, Named, NotActedOn, Place, Session, Side
from nfmasq.helpers.kit.dialogue import Leave, LineDialogue
from nfmasq.helpers.kit.lines import Speech, may_become

TAGS, MESSAGE = 8191, 512
"""Bytes of a line: of its tags, and of its message with the line's end."""
MOST_CTCP = 32
"""CTCP messages in a line; a line has no room for more endpoints."""
PATIENCE_S = 300
"""Seconds: people look at an offer before they accept it."""
MOST_NUMBERS = 64
"""Numbers in a name without quotes among which the endpoint is searched."""

_FIRST = b"PASS NICK USER CAP AUTHENTICATE WEBIRC STARTTLS".split()
_HEAD = re.compile(rb"(@[^ \r\n]+ +)?(?::[^ \r\n]+ +)?([A-Za-z]+|\d{3})(?=[ \r\n])")
_OPENINGS = {
    Side.INSIDE: Opening(_FIRST, re.compile(rb"(?i:%b)[ \r\n]" % b"|".join(_FIRST)), never_http=True),
    Side.OUTSIDE: Opening(b": @ NOTICE PING ERROR CAP AUTHENTICATE".split(), _HEAD),
}
_TEXT_OF = re.compile(rb" +[^ :\r\n][^ \r\n]* +:")
_PLAIN, _CTCP = re.compile(rb"([^\x01\r\n]+)"), re.compile(rb"\x01([^\x01\r\n]*)\x01?")
_ADDRESS = rb"(%b|\d{1,20})" % endpoints.DOTTED
_NAME = rb"(?:\"[^\"]*\"|[^ \"][^ ]*) +"
_DCC = re.compile(rb"DCC +([A-Za-z]+) +([^ ].*)", re.IGNORECASE | re.DOTALL)
_OFFER = re.compile(rb"[ST]{0,2}(?:SEND|CHAT|RECV)|MOVE")
"""S: over TLS. T: without waiting for acknowledgments. RECV: the offering client receives."""
_ENDPOINT = re.compile(_NAME + _ADDRESS + rb" +(\d{1,20})(?: .*)?", re.DOTALL)
_ENDPOINT_OF_IPV6 = re.compile(_NAME + rb"[\dA-Fa-f.]*:[\dA-Fa-f:.]* +\d+(?: .*)?", re.DOTALL)
_SOMEWHERE = re.compile(rb"(?<= )" + _ADDRESS + rb"(?= +(\d{1,20})(?![^ ]))")
_PORT = re.compile(_NAME + rb"(\d{1,20})(?: +\d{1,20}){0,2} *")
_PORT_AT_THE_END = re.compile(rb"(?<= )(\d{1,20}(?= +\d{1,20} *\Z)|0{1,20}(?= +\d{1,20} +\d{1,20} *\Z))")
"""The port before the position; a passive offer's also has a token behind it."""
_SHOWN = re.compile(rb"DCC +[A-Za-z]+ [^\r\n]*\((%b)\) *" % endpoints.DOTTED, re.IGNORECASE)
"""What some programs write about their offer: "DCC Send name (192.168.1.10)"."""


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
        return IrcDialogue(session)


class IrcDialogue(LineDialogue):
    """One client's connection to a server. Stored: whether the server has welcomed the client.

    Only a client behind the router is helped: an internal server passes on what strangers wrote.
    """

    def __init__(self, session: Session) -> None:
        openings = _OPENINGS if session.inside_began else dict.fromkeys(Side, NEVER)
        super().__init__(TAGS + MESSAGE, Speech, openings)
        self._own = {session.internal[0], session.external[0]}
        self._welcomed = False

    def hear(self, side: Side, at: int, line: bytes) -> Iterator[Place | NotActedOn]:
        """The endpoints in the CTCP messages of a line."""
        head = _HEAD.match(line)
        if head is None or b"\r" in line[:-2] or b"\0" in line:
            return  # servers differ in where such a line ends
        if side is Side.OUTSIDE and head[2] == b"670":
            raise Leave  # STARTTLS: the next bytes are TLS
        self._welcomed = self._welcomed or (side is Side.OUTSIDE and head[2] == b"001")
        room = MESSAGE - (len(line) - head.end(1) if head[1] else len(line))
        for text, is_ctcp in _texts(line, head):
            try:
                one = self._place(side, at + text.start(1), text[1], is_ctcp)
                if one is None:
                    continue
                if not self._welcomed:
                    raise NotActedOn("not_allowed")
                room -= endpoints.growth(one)
                if room < 0:
                    raise NotActedOn("too_long")
                yield one
            except NotActedOn as why:
                yield why

    def wait_from(self, side: Side, line: bytes) -> int:
        """Of a message that has begun, a text that is DCC or may become DCC waits."""
        head = _HEAD.match(line)
        if head is None or len(line) - head.start(2) > MESSAGE:
            return len(line)
        waiting = (text for text, _ in _texts(line, head) if text[1] and may_become(text[1], (b"DCC ",)))
        return next((text.start(1) for text in waiting), len(line))

    def _place(self, side: Side, at: int, text: bytes, is_ctcp: bool) -> Found | Named | Mentioned | None:
        """The endpoint that a text names, or None. Raises NotActedOn("malformed")."""
        if not is_ctcp:
            shown = _SHOWN.fullmatch(text) if side is Side.INSIDE else None
            return endpoints.address_alone(shown, at) if shown else None
        match = _DCC.fullmatch(text)
        kind, begin = (match[1].upper(), match.start(2)) if match else (b"", 0)
        if side is Side.INSIDE and _OFFER.fullmatch(kind):
            return self._offer(text, begin, at)
        is_again = (side, kind) in {(Side.INSIDE, b"ACCEPT"), (Side.OUTSIDE, b"RESUME")}
        return _again(side, text, begin, at) if is_again else None

    def _offer(self, text: bytes, begin: int, at: int) -> Found | Named | None:
        match = _ENDPOINT.fullmatch(text, begin)
        if not match or not (text.startswith(b'"', begin) or endpoints.is_one_of(match[1], self._own)):
            others = islice(_SOMEWHERE.finditer(text, begin + 1), MOST_NUMBERS)
            match = next((each for each in others if endpoints.is_one_of(each[1], self._own)), match)
        if match is None:
            if _ENDPOINT_OF_IPV6.fullmatch(text, begin):
                return None
            raise NotActedOn("malformed")
        if not match[2].strip(b"0"):
            return endpoints.address_alone(match, at)
        found = endpoints.address_and_port(match, at)
        return found._replace(anyone=True, as_seen=True, patience_s=PATIENCE_S)


def _again(side: Side, text: bytes, begin: int, at: int) -> Found | Mentioned | None:
    match = _PORT.fullmatch(text, begin) or _PORT_AT_THE_END.search(text, begin)
    if match is None:
        raise NotActedOn("malformed")
    found = endpoints.port_alone(match, at)
    if found.port == 0 or found.write is None:
        return None
    if side is Side.OUTSIDE:
        return Mentioned(found.start, found.end, found.port, found.write)
    return found._replace(anyone=True, reuse=True)


def _texts(line: bytes, head: re.Match[bytes]) -> Iterator[tuple[re.Match[bytes], bool]]:
    """The text that a NOTICE begins with, and each CTCP message of a line; True: a CTCP message.

    The text is group 1 of the match. The line's end ends the last one, too.
    """
    word = head[2].upper()
    if word in {b"PRIVMSG", b"NOTICE"} and (text := _TEXT_OF.match(line, head.end())):
        if word == b"NOTICE" and (plain := _PLAIN.match(line, text.end())):
            yield plain, False
        for ctcp in islice(_CTCP.finditer(line, text.end()), MOST_CTCP):
            yield ctcp, True


HELPER = Irc
