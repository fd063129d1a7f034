"""FTP (RFC 959, 2228, 2428): PORT and EPRT of an internal client, 227 and 229 of an internal server.

What is stored of a session: of each side the line that has begun; which commands still wait for their reply;
who has logged in; whether a reply of several lines is under way. Lines alone write it. A reply belongs to the
command that has waited longest, except that some codes belong to one command whatever others wait: servers
differ in how many replies they give to ABOR. An endpoint counts only between a login and the next one, only
from the internal side, and 227 and 229 only as the reply to PASV and EPSV.

A command that comes before its login was answered is not acted upon, and goes as it is: it could not be told
from one that a page made a browser send, and a server that is asked in time refuses it anyway.

The client's first command and the server's first line must be FTP's, and no line of the client may be HTTP's;
else this is something that only uses the port, and the helper leaves. It leaves too where nobody can read on:
after AUTH was accepted, and for good, whatever CCC says later.
"""

import re
from collections import deque

from nfmasq.helpers.kit.base import MOST_FOUND, Dialogue, Found, Reading, Refusal, Session, Side, may_become
from nfmasq.helpers.kit.lines import Speech, is_http_header, is_http_request
from nfmasq.helpers.protocols.ftp_endpoints import (
    eprt_argument,
    extended_passive_reply,
    passive_reply,
    port_argument,
)

LONGEST = 4096 + 64
"""Bytes of a line: a path of the longest kind, and a command."""
PIPELINED = 64
"""Commands that may wait for a reply; of more the oldest are forgotten."""

_FIRST = tuple(
    b"USER AUTH FEAT HOST CLNT CSID OPTS LANG SYST STAT HELP NOOP QUIT REIN PASS ACCT PBSZ PROT ABOR".split()
)
"""With which of its commands a client may begin."""

_IAC = b"\xff"
_TELNET = re.compile(rb"(?:\xff(?:[\xfb-\xfe].|[\xf0-\xf9]))*", re.DOTALL)
_TELNET_BEGINS = re.compile(rb"\xff[\xfb-\xfe]?|")
_COMMAND = re.compile(rb"([A-Za-z]{3,8})(?:[ \t]+([^\r\n\0]*))?\r?\n")
_ARGUMENT = re.compile(rb"(PORT|EPRT)[ \t]+", re.IGNORECASE)
_REPLY = re.compile(rb"([1-5][0-9][0-9])(?:([ -])[^\n]*)?\r?\n")
_REPLY_BEGINS = re.compile(rb"|[1-5](?:[0-9](?:[0-9](?:[ \-\r].*)?)?)?", re.DOTALL)

_LOGIN = {b"USER", b"PASS", b"ACCT"}
_ANSWERS = {
    b"227": {b"PASV"},
    b"229": {b"EPSV"},
    b"230": _LOGIN,
    b"232": _LOGIN,
    b"331": {b"USER"},
    b"332": {b"USER", b"PASS"},
    b"334": {b"AUTH"},
}
"""Codes that belong to these commands alone."""
_AWAITED = {b"PASV", b"EPSV", b"AUTH"}
"""Commands that end well with a code of their own only."""


class Leave(Exception):
    """This is not FTP, or it can be read no longer."""


class Ftp:
    """The helper. fxp: a transfer between two servers is nothing to object to.

    That is, 227 and PORT may name a third host without counting as forged, and what an internal server
    announces may be met by any host. A third host is never let in by an address it is named with.
    """

    name = "ftp"
    transport = "tcp"
    ports: tuple[int, ...] = (21,)
    enabled_by_default = True
    about = "File transfer: PORT, EPRT, PASV and EPSV"

    examples = (
        (Side.OUTSIDE, b"220-Welcome\r\n220 FTP server ready\r\n"),
        (Side.INSIDE, b"USER anonymous\r\n"),
        (Side.OUTSIDE, b"331 Any password will do\r\n"),
        (Side.INSIDE, b"PASS me@\r\n"),
        (Side.OUTSIDE, b"230 Logged in\r\n"),
        (Side.INSIDE, b"PORT 192,168,1,10,19,136\r\nLIST\r\n"),
        (Side.OUTSIDE, b"200 PORT is fine\r\n150 Here it comes\r\n226 Done\r\n"),
        (Side.INSIDE, b"EPRT |1|192.168.1.10|5001|\r\nRETR file\r\n"),
        (Side.OUTSIDE, b"200 EPRT is fine\r\n150 Here it comes\r\n226 Done\r\n"),
    )
    examples_from_outside = (
        (Side.INSIDE, b"220 FTP server ready\r\n"),
        (Side.OUTSIDE, b"USER anonymous\r\nPASS me@\r\n"),
        (Side.INSIDE, b"331 Any password will do\r\n230 Logged in\r\n"),
        (Side.OUTSIDE, b"PASV\r\nRETR file\r\nEPSV\r\nRETR file\r\n"),
        (Side.INSIDE, b"227 Entering Passive Mode (192,168,1,10,19,137).\r\n150 Now\r\n226 Done\r\n"),
        (Side.INSIDE, b"229 Entering Extended Passive Mode (|||5002|)\r\n150 Now\r\n226 Done\r\n"),
    )

    def __init__(self, *, fxp: bool = False) -> None:
        self._fxp = fxp

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a control connection that begins."""
        return Control(session, self._fxp)


class Control:
    """One control connection."""

    def __init__(self, session: Session, fxp: bool) -> None:
        self._session = session
        self._fxp = fxp
        self._client = Side.INSIDE if session.inside_began else Side.OUTSIDE
        self._speech = {side: Speech(LONGEST) for side in Side}
        self._known = self._greeted = False  # the client's first command, the server's greeting
        self._logged_in = self._only_epsv = False
        self._several = b""  # the code of a reply of several lines that has not ended
        self._waiting: deque[bytes] = deque(maxlen=PIPELINED)

    def read(self, side: Side, data: bytes) -> Reading:
        """Read commands of the client or replies of the server."""
        speech = self._speech[side]
        lines, begun = speech.cut(data)
        hear, hold_from = (
            (self._command, self._hold_command) if side is self._client else (self._reply, self._hold_reply)
        )
        found: list[Found] = []
        refused: list[str] = []
        try:
            for at, line in lines:
                try:
                    one = hear(at, line)
                except Refusal as why:
                    refused.append(str(why))
                else:
                    if one is not None:
                        found.append(one)
                if len(found) > MOST_FOUND:
                    raise Leave
            if speech.overrun:
                raise Leave
            taken = speech.take(data, begun, hold_from)
        except Leave:
            return Reading(len(data), found[:MOST_FOUND], leave=True, refused=refused)
        return Reading(taken, found, refused=refused)

    def _command(self, at: int, line: bytes) -> Found | None:
        text = line[(skipped := _skip_telnet(line)) :]
        match = _COMMAND.fullmatch(text)
        word = match[1].upper() if match else b""
        if not self._known:
            if word not in _FIRST or is_http_request(line):
                raise Leave
            self._known = True
        if not word and is_http_header(line):
            raise Leave
        self._waiting.append(word)
        if word in {b"USER", b"REIN"}:
            self._logged_in = self._only_epsv = False
        if match is None or match[2] is None:
            return None
        argument, at = match[2], at + skipped + match.start(2)
        if word == b"EPSV" and argument.strip().upper() == b"ALL":
            self._waiting[-1] = b"EPSV ALL"
            self._only_epsv = True
        if word not in {b"PORT", b"EPRT"} or self._client is Side.OUTSIDE:
            return None
        if not self._logged_in or self._only_epsv:
            raise Refusal("not_allowed")
        found = port_argument(argument, at) if word == b"PORT" else eprt_argument(argument, at)
        return self._unless_fxp(found)

    def _reply(self, at: int, line: bytes) -> Found | None:
        if line.startswith(_IAC):
            line, at = line[(skipped := _skip_telnet(line)) :], at + skipped
        if self._several:
            if line[:3] != self._several or line[3:4] not in {b" ", b"\r", b"\n"}:
                return None
            self._several = b""
        match = _REPLY.fullmatch(line)
        if match is None:
            if not self._greeted:
                raise Leave
            return None
        code, mark = match.groups()
        if mark == b"-":
            self._several = code
            return None
        if not self._greeted:
            self._greeted = code[:1] != b"1"
            return None
        return None if code[:1] == b"1" else self._answer(code, at, line)

    def _answer(self, code: bytes, at: int, line: bytes) -> Found | None:
        if code in {b"234", b"235"}:
            raise Leave  # whether it was waited for or not, what follows may be TLS
        word = self._answered(code)
        good = code[:1] == b"2"
        if word in _LOGIN:
            self._logged_in = good or (self._logged_in and code != b"530")
        elif word == b"EPSV ALL":
            self._only_epsv = good
            if good and self._client is Side.INSIDE:
                raise Leave  # from here on it announces nothing of its own
        elif word in {b"PASV", b"EPSV"} and good:
            find = passive_reply if word == b"PASV" else extended_passive_reply
            return self._announced(find(line, at))
        return None

    def _answered(self, code: bytes) -> bytes:
        """Which command this reply is to; empty for none."""
        if code not in _ANSWERS:
            if not self._waiting or (self._waiting[0] in _AWAITED and code[:1] in b"23"):
                return b""
            return self._waiting.popleft()
        if _ANSWERS[code].isdisjoint(self._waiting):
            return b""
        while (word := self._waiting.popleft()) not in _ANSWERS[code]:
            pass
        return word

    def _announced(self, found: Found | None) -> Found | None:
        """What the server says it listens on: ours to open only if it is the internal side."""
        if found is None:
            return None
        if self._client is Side.INSIDE:
            if found.address not in {None, self._session.remote[0]} and not self._fxp:
                raise Refusal("forged")
            return None
        if not self._logged_in or (self._only_epsv and found.address is not None):
            raise Refusal("not_allowed")
        return self._unless_fxp(found)

    def _unless_fxp(self, found: Found | None) -> Found | None:
        if found is None or not self._fxp:
            return found
        if found.address not in {None, self._session.internal[0]}:
            return None
        return found._replace(anyone=True) if self._client is Side.OUTSIDE else found

    def _hold_command(self, line: bytes) -> int:
        """Of a command that has begun, what follows PORT or EPRT must wait."""
        skipped = _skip_telnet(line)
        if not self._known and not _TELNET_BEGINS.fullmatch(line, skipped):
            word = line[skipped : skipped + 8]
            if not may_become(word, _FIRST):
                raise Leave
        match = _ARGUMENT.match(line, skipped) if self._client is Side.INSIDE else None
        return match.end() if match else len(line)

    def _hold_reply(self, line: bytes) -> int:
        """Of a reply that has begun, what follows an internal server's 227 or 229 must wait."""
        if not self._greeted and not self._several and not _REPLY_BEGINS.fullmatch(line):
            raise Leave
        begins = _skip_telnet(line)
        endpoint = begins + len("227 ")
        return (
            endpoint
            if self._client is Side.OUTSIDE and line[begins:endpoint] in {b"227 ", b"229 "}
            else len(line)
        )


def _skip_telnet(line: bytes) -> int:
    """How many bytes of Telnet commands (RFC 854) the line begins with: clients send them before ABOR."""
    match = _TELNET.match(line) if line.startswith(_IAC) else None
    return match.end() if match else 0
