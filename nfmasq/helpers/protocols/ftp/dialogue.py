"""One FTP control connection (RFC 959, 2228, 2428), line by line.

What is stored: of each side the line that has begun, and the commands that wait for their reply (`pipeline`).
Also whether the client has logged in, and whether a reply of several lines is under way. Who writes: each
line that was read whole. What ends it: the dialogue leaves, or the session ends.

An endpoint counts only between a login and the next one, and only from the internal side. 227 and 229 count
only as the reply to PASV and EPSV. A command before the login was answered is not acted on. It looks like a
command that a page made a browser send, and the server refuses it anyway.

The client's first command and the server's first line must be FTP's, and no line of the client may be HTTP's.
Otherwise another protocol uses the port, and the dialogue leaves. It also leaves when AUTH is accepted: the
bytes behind it are encrypted. It does not come back for CCC.
"""

import re
from collections.abc import Iterable, Iterator

from nfmasq.helpers.kit.base import Found, Named, NotActedOn, Place, Session, Side
from nfmasq.helpers.kit.dialogue import Leave, LineDialogue
from nfmasq.helpers.kit.lines import is_http_header, is_http_request, may_become
from nfmasq.helpers.protocols.ftp import replies
from nfmasq.helpers.protocols.ftp.endpoints import eprt_argument, port_argument
from nfmasq.helpers.protocols.ftp.pipeline import LOGIN, Pipeline

LONGEST = 4096 + 64
"""Bytes of a line: the longest path (PATH_MAX of Linux), and a command."""

_FIRST = tuple(
    b"USER AUTH FEAT HOST CLNT CSID OPTS LANG SYST STAT HELP NOOP QUIT REIN PASS ACCT PBSZ PROT ABOR".split()
)
"""Commands that a client may begin with."""

_IAC = b"\xff"
_TELNET = re.compile(rb"(?:\xff(?:[\xfb-\xfe].|[\xf0-\xf9]))*", re.DOTALL)
_TELNET_BEGINS = re.compile(rb"\xff[\xfb-\xfe]?|")
_COMMAND = re.compile(rb"([A-Za-z]{3,8})(?:[ \t]+([^\r\n\0]*))?\r?\n")
_ARGUMENT = re.compile(rb"(PORT|EPRT)[ \t]+", re.IGNORECASE)
_REPLY = re.compile(rb"([1-5][0-9][0-9])(?:([ -])[^\n]*)?\r?\n")
_REPLY_BEGINS = re.compile(rb"|[1-5](?:[0-9](?:[0-9](?:[ \-\r].*)?)?)?", re.DOTALL)


class FtpDialogue(LineDialogue):
    """One control connection."""

    def __init__(self, session: Session, fxp: bool) -> None:
        super().__init__(LONGEST)
        self._session = session
        self._fxp = fxp
        self._client = Side.INSIDE if session.inside_began else Side.OUTSIDE
        self._known = self._greeted = False  # the client's first command, the server's greeting
        self._logged_in = self._only_epsv = False
        self._several = b""  # the code of a reply of several lines that has not ended
        self._pipeline = Pipeline()

    def hear(self, side: Side, at: int, line: bytes) -> Iterable[Place | NotActedOn]:
        """The endpoint in a command of the client; the endpoint and addresses in a reply of the server."""
        if side is not self._client:
            return self._reply(at, line)
        found = self._command(at, line)
        return () if found is None else (found,)

    def wait_from(self, side: Side, line: bytes) -> int:
        """The bytes behind PORT, EPRT and a reply's code wait, if the internal side said it."""
        return self._command_waits_from(line) if side is self._client else self._reply_waits_from(line)

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
        self._pipeline.add(word)
        if word in {b"USER", b"REIN"}:
            self._logged_in = self._only_epsv = False
        if match is None or match[2] is None:
            return None
        argument, at = match[2], at + skipped + match.start(2)
        if word == b"EPSV" and argument.strip().upper() == b"ALL":
            self._pipeline.rename_last(b"EPSV ALL")
            self._only_epsv = True
        if word not in {b"PORT", b"EPRT"} or self._client is Side.OUTSIDE:
            return None
        if not self._logged_in or self._only_epsv:
            raise NotActedOn("not_allowed")
        found = port_argument(argument, at) if word == b"PORT" else eprt_argument(argument, at)
        return self._unless_fxp(found)

    def _reply(self, at: int, line: bytes) -> Iterable[Place | NotActedOn]:
        if line.startswith(_IAC):
            line, at = line[(skipped := _skip_telnet(line)) :], at + skipped
        if self._several:
            if line[:3] != self._several or line[3:4] not in {b" ", b"\r", b"\n"}:
                return self._passive(self._several, at, line)
            self._several = b""
        match = _REPLY.fullmatch(line)
        if match is None:
            if not self._greeted:
                raise Leave
            return ()
        code, mark = match.groups()
        if mark == b"-":
            self._several = code
            return self._passive(code, at, line)
        if not self._greeted:
            self._greeted = code[:1] != b"1"
        elif code[:1] != b"1":
            places = list(self._passive(code, at, line))  # while its command still waits
            self._answer(code)
            return places
        return ()

    def _answer(self, code: bytes) -> None:
        if code in {b"234", b"235"}:
            raise Leave  # whether a command waited for it or not, the next bytes may be TLS
        word = self._pipeline.answered(code)
        good = code[:1] == b"2"
        if word in LOGIN:
            self._logged_in = good or (self._logged_in and code != b"530")
        elif word == b"EPSV ALL":
            self._only_epsv = good
            if good and self._client is Side.INSIDE:
                raise Leave  # from here on it announces nothing of its own

    def _passive(self, code: bytes, at: int, line: bytes) -> Iterator[Place | NotActedOn]:
        """What a line of a 227, 228 or 229 shows: the endpoint if it is acted on, and internal addresses."""
        if code not in replies.CODES:
            return
        found, why = None, None
        try:
            found = self._announced(code, replies.endpoint(code, line, at, self._session))
        except NotActedOn as reason:
            why = reason
        if self._client is Side.OUTSIDE:
            places: list[Found | Named] = list(replies.internal_addresses(line, at, self._session, found))
            if found is not None:
                places.append(found)
            yield from sorted(places, key=lambda place: place.start)
        if why is not None:
            yield why

    def _announced(self, code: bytes, found: Found | None) -> Found | None:
        """The endpoint that an internal server listens on; None: an external one needs no translation."""
        if found is None:
            return None
        if self._client is Side.INSIDE:
            if found.address not in {None, self._session.remote[0]} and not self._fxp:
                raise NotActedOn("forged")
            return None
        is_asked = self._pipeline.awaits(code) and self._logged_in
        if not is_asked or (self._only_epsv and found.address is not None):
            raise NotActedOn("not_allowed")
        return self._unless_fxp(found)

    def _unless_fxp(self, found: Found | None) -> Found | None:
        if found is None or not self._fxp:
            return found
        own = {self._session.internal[0], self._session.external[0]}
        if found.address is not None and found.address not in own:
            return None
        return found._replace(anyone=True) if self._client is Side.OUTSIDE else found

    def _command_waits_from(self, line: bytes) -> int:
        """Of a command that has begun, the bytes behind PORT or EPRT must wait."""
        skipped = _skip_telnet(line)
        if not self._known and not _TELNET_BEGINS.fullmatch(line, skipped):
            word = line[skipped : skipped + 8]
            if not may_become(word, _FIRST):
                raise Leave
        match = _ARGUMENT.match(line, skipped) if self._client is Side.INSIDE else None
        return match.end() if match else len(line)

    def _reply_waits_from(self, line: bytes) -> int:
        """Of a reply that has begun, an internal server's bytes behind 227 to 229 must wait."""
        if not self._greeted and not self._several and not _REPLY_BEGINS.fullmatch(line):
            raise Leave
        if self._client is Side.INSIDE:
            return len(line)
        begins = _skip_telnet(line)
        if self._several:
            return begins if self._several in replies.CODES else len(line)
        code, mark = line[begins : begins + 3], line[begins + 3 : begins + 4]
        return begins + 4 if code in replies.CODES and mark in {b" ", b"-"} else len(line)


def _skip_telnet(line: bytes) -> int:
    """Bytes of Telnet commands (RFC 854) at the line's begin: clients send them before ABOR."""
    match = _TELNET.match(line) if line.startswith(_IAC) else None
    return match.end() if match else 0
