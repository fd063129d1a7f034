"""One FTP control connection (RFC 959, 2228, 2428), line by line.

What is stored: of each side the line that has begun, and the commands that wait for their reply (`Pipeline`).
Also whether the client has logged in, and whether a reply of several lines is under way. Who writes: each
line that was read whole. What ends it: the dialogue leaves, or the session ends.

An endpoint counts only between a login and the next one, and only from the internal side. 227 and 229 count
only as the reply to PASV and EPSV. A command before the login was answered is not acted on. It looks like a
command that a page made a browser send, and the server refuses it anyway.

The dialogue leaves when AUTH is accepted: the bytes behind it are encrypted. It does not come back for CCC.
"""

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from nfmasq.helpers.kit.anchoring import Opening
from nfmasq.helpers.kit.base import Found, Named, NotActedOn, Place, Session, Side
from nfmasq.helpers.kit.dialogue import Leave, LineDialogue
from nfmasq.helpers.kit.hiding import internal_addresses
from nfmasq.helpers.kit.lines import behind
from nfmasq.helpers.kit.pairing import InOrder
from nfmasq.helpers.kit.replies import FIRST_REPLY, Replies
from nfmasq.helpers.kit.telnet import IAC, TelnetSpeech
from nfmasq.helpers.protocols.ftp import endpoints

LONGEST = 4096 + 64
"""Bytes of a line: the longest path (PATH_MAX of Linux), and a command."""

_FIRST = (
    b"USER AUTH FEAT HOST CLNT CSID OPTS LANG SYST STAT HELP NOOP QUIT REIN PASS ACCT PBSZ PROT ABOR".split()
)
"""Commands that a client may begin with."""
_LINE = re.compile(rb"(?i:%b)(?:[ \t][^\r\n\0]*)?\r?\n" % b"|".join(_FIRST))
_CLIENT = Opening((IAC, *_FIRST), _LINE, never_http=True)
_COMMAND = re.compile(rb"([A-Za-z]{3,8})(?:[ \t]++([^\r\n\0]*))?\r?\n")
_ARGUMENT = re.compile(rb"(?:PORT|EPRT)[ \t]+", re.IGNORECASE)
_LOGIN = {b"USER", b"PASS", b"ACCT"}
_PASSIVE = {b"PASV", b"EPSV"}


class Pipeline(InOrder):
    """The commands that wait for their reply. Servers answer PASV and EPSV by 227 or 229, either of them."""

    belongs: ClassVar = {
        b"227": _PASSIVE, b"228": {b"LPSV"}, b"229": _PASSIVE, b"230": _LOGIN, b"232": _LOGIN,
        b"331": {b"USER"}, b"332": {b"USER", b"PASS"}, b"334": {b"AUTH"},
    }  # fmt: skip
    own_success = frozenset((b"PASV", b"EPSV", b"LPSV", b"AUTH"))


class FtpDialogue(LineDialogue):
    """One control connection."""

    def __init__(self, session: Session, fxp: bool) -> None:
        self._client = Side.INSIDE if session.inside_began else Side.OUTSIDE
        super().__init__(LONGEST, TelnetSpeech, {self._client: _CLIENT, self._client.other: FIRST_REPLY})
        self._session = session
        self._fxp = fxp
        self._logged_in = self._only_epsv = False
        self._replies = Replies()
        self._pipeline = Pipeline()
        self._pipeline.add(b"")  # the connection itself: its reply is the greeting

    def hear(self, side: Side, at: int, line: bytes) -> Iterable[Place | NotActedOn]:
        """The endpoint in a command of the client; the endpoint and addresses in a reply of the server."""
        if side is not self._client:
            return self._reply(at, line)
        found = self._command(at, line)
        return () if found is None else (found,)

    def wait_from(self, side: Side, line: bytes) -> int:
        """The bytes behind PORT, EPRT and a reply's code wait, if the internal side said it."""
        if side is Side.OUTSIDE:
            return len(line)
        if side is self._client:
            return behind(_ARGUMENT, line)
        code, begin = self._replies.begun(line)
        return begin if code in endpoints.CODES else len(line)

    def _command(self, at: int, line: bytes) -> Found | None:
        match = _COMMAND.fullmatch(line)
        word = match[1].upper() if match else b""
        self._pipeline.add(word)
        if word in {b"USER", b"REIN"}:
            self._logged_in = self._only_epsv = False
        if match is None or match[2] is None:
            return None
        if word == b"EPSV" and match[2].strip().upper() == b"ALL":
            self._pipeline.rename_last(b"EPSV ALL")
            self._only_epsv = True
        if word not in {b"PORT", b"EPRT"} or self._client is Side.OUTSIDE:
            return None
        if not self._logged_in or self._only_epsv:
            raise NotActedOn("not_allowed")
        return self._unless_fxp(endpoints.of_command(word, line, match.start(2), at))

    def _reply(self, at: int, line: bytes) -> Iterable[Place | NotActedOn]:
        code, begin, is_whole = self._replies.hear(line)
        places = [*self._passive(code, at, line, begin)] if code in endpoints.CODES else []
        if is_whole and not code.startswith(b"1"):
            self._answer(code)  # from here on its command does not wait
        return places

    def _answer(self, code: bytes) -> None:
        if code in {b"234", b"235"}:
            raise Leave  # whether a command waited for it or not, the next bytes may be TLS
        word, is_good = self._pipeline.answered(code), code.startswith(b"2")
        if word in _LOGIN:
            self._logged_in = is_good or (self._logged_in and code != b"530")
        elif word == b"EPSV ALL":
            self._only_epsv = is_good
            if is_good and self._client is Side.INSIDE:
                raise Leave  # from here on it announces nothing of its own

    def _passive(self, code: bytes, at: int, line: bytes, begin: int) -> Iterator[Place | NotActedOn]:
        """What a line of a 227, 228 or 229 shows: the endpoint if it is acted on, and internal addresses."""
        found, why = None, None
        try:
            found = self._announced(code, endpoints.of_reply(code, line, begin, at, self._session))
        except NotActedOn as reason:
            why = reason
        if self._client is Side.OUTSIDE:
            places: list[Found | Named] = [*internal_addresses(line, begin, at, self._session, found)]
            yield from sorted([*places, found] if found else places, key=lambda place: place.start)
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
        if found.address not in {None, self._session.internal[0], self._session.external[0]}:
            return None
        return found._replace(anyone=True) if self._client is Side.OUTSIDE else found
