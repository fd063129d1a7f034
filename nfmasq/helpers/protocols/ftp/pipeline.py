"""Which FTP command a reply belongs to (RFC 959 section 5.4): clients send commands without waiting.

What is stored: the commands that still wait for their reply, in order. Who writes: the dialogue, at each
command and each final reply. What ends a command's wait: its reply, a reply to a later command, or PIPELINED
more of them.

A reply belongs to the command that has waited longest. Some codes belong to one command whatever others wait:
servers differ in how many replies they give to ABOR.
"""

from collections import deque

PIPELINED = 64
"""Commands that may wait for a reply; of more the oldest are forgotten."""
LOGIN = {b"USER", b"PASS", b"ACCT"}
PASSIVE = {b"PASV", b"EPSV"}
"""Servers answer either of them by 227 or 229."""
_ANSWERS = {
    b"227": PASSIVE,
    b"228": {b"LPSV"},
    b"229": PASSIVE,
    b"230": LOGIN,
    b"232": LOGIN,
    b"331": {b"USER"},
    b"332": {b"USER", b"PASS"},
    b"334": {b"AUTH"},
}
"""Codes that belong to these commands alone."""
_AWAITED = {b"PASV", b"EPSV", b"LPSV", b"AUTH"}
"""Commands whose success has a code of their own."""


class Pipeline:
    """The commands of one control connection that wait for their reply; b"" stands for an unknown one."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque(maxlen=PIPELINED)

    def add(self, word: bytes) -> None:
        """Store a command that was sent."""
        self._waiting.append(word)

    def rename_last(self, word: bytes) -> None:
        """Let the newest command wait under another name: EPSV ALL is answered unlike EPSV."""
        self._waiting[-1] = word

    def awaits(self, code: bytes) -> bool:
        """Does a command wait for a reply with just this code?"""
        return code in _ANSWERS and not _ANSWERS[code].isdisjoint(self._waiting)

    def answered(self, code: bytes) -> bytes:
        """The command that a final reply with this code belongs to, which waits no longer; b"": none."""
        if code not in _ANSWERS:
            if not self._waiting or (self._waiting[0] in _AWAITED and code[:1] in b"23"):
                return b""
            return self._waiting.popleft()
        if _ANSWERS[code].isdisjoint(self._waiting):
            return b""
        while (word := self._waiting.popleft()) not in _ANSWERS[code]:
            pass
        return word
