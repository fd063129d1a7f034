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

from nfmasq.helpers.kit.base import MOST_FOUND, Found, NotActedOn, Reading, Session, Side
from nfmasq.helpers.kit.lines import Speech, is_http_header, is_http_request, may_become
from nfmasq.helpers.protocols.ftp.endpoints import (
    eprt_argument,
    extended_passive_reply,
    passive_reply,
    port_argument,
)
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


class Leave(Exception):
    """This is not FTP, or it cannot be read any longer."""


class FtpDialogue:
    """One control connection."""

    def __init__(self, session: Session, fxp: bool) -> None:
        self._session = session
        self._fxp = fxp
        self._client = Side.INSIDE if session.inside_began else Side.OUTSIDE
        self._speech = {side: Speech(LONGEST) for side in Side}
        self._known = self._greeted = False  # the client's first command, the server's greeting
        self._logged_in = self._only_epsv = False
        self._several = b""  # the code of a reply of several lines that has not ended
        self._pipeline = Pipeline()

    def read(self, side: Side, data: bytes) -> Reading:
        """Read commands of the client or replies of the server."""
        speech = self._speech[side]
        lines, begun = speech.cut(data)
        hear, wait_from = (
            (self._command, self._command_waits_from)
            if side is self._client
            else (self._reply, self._reply_waits_from)
        )
        found: list[Found] = []
        not_acted_on: list[str] = []
        try:
            for at, line in lines:
                try:
                    one = hear(at, line)
                except NotActedOn as why:
                    not_acted_on.append(str(why))
                else:
                    if one is not None:
                        found.append(one)
                if len(found) > MOST_FOUND:
                    raise Leave
            if speech.overrun:
                raise Leave
            taken = speech.take(data, begun, wait_from)
        except Leave:
            return Reading(len(data), found[:MOST_FOUND], leave=True, not_acted_on=not_acted_on)
        return Reading(taken, found, not_acted_on=not_acted_on)

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
            raise Leave  # whether a command waited for it or not, the next bytes may be TLS
        word = self._pipeline.answered(code)
        good = code[:1] == b"2"
        if word in LOGIN:
            self._logged_in = good or (self._logged_in and code != b"530")
        elif word == b"EPSV ALL":
            self._only_epsv = good
            if good and self._client is Side.INSIDE:
                raise Leave  # from here on it announces nothing of its own
        elif word in {b"PASV", b"EPSV"} and good:
            find = passive_reply if word == b"PASV" else extended_passive_reply
            return self._announced(find(line, at))
        return None

    def _announced(self, found: Found | None) -> Found | None:
        """The endpoint that an internal server listens on; None: an external one needs no translation."""
        if found is None:
            return None
        if self._client is Side.INSIDE:
            if found.address not in {None, self._session.remote[0]} and not self._fxp:
                raise NotActedOn("forged")
            return None
        if not self._logged_in or (self._only_epsv and found.address is not None):
            raise NotActedOn("not_allowed")
        return self._unless_fxp(found)

    def _unless_fxp(self, found: Found | None) -> Found | None:
        if found is None or not self._fxp:
            return found
        if found.address not in {None, self._session.internal[0]}:
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
        """Of a reply that has begun, the bytes behind an internal server's 227 or 229 must wait."""
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
    """Bytes of Telnet commands (RFC 854) at the line's begin: clients send them before ABOR."""
    match = _TELNET.match(line) if line.startswith(_IAC) else None
    return match.end() if match else 0
