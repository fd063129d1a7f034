"""Replies that begin with a code of three digits, in one line or several (RFC 959 section 4.2; SMTP, NNTP).

What is stored: the code of a reply of several lines that is under way. Who writes: `hear`, with each whole
line. What ends it: the line with the same code and no hyphen behind it.
"""

import re

from nfmasq.helpers.kit.anchoring import Opening

_LINE = re.compile(rb"([1-5][0-9][0-9])(?:([ -])[^\n]*)?\r?\n")
_BEGUN = re.compile(rb"([1-5][0-9][0-9])[ -]")
_FIRST_BEGUN = re.compile(rb"(?:\xff.?|[1-5](?:[0-9](?:[0-9](?:[ \r-].*)?)?)?)?", re.DOTALL)

FIRST_REPLY = Opening((b"",), _LINE, begun=_FIRST_BEGUN)
"""A side that begins with a reply. A Telnet command before it may have begun."""


class Replies:
    """The replies of one side."""

    __slots__ = ("_under_way",)

    def __init__(self) -> None:
        self._under_way = b""

    def hear(self, line: bytes) -> tuple[bytes, int, bool]:
        """The code of a whole line's reply, where its text begins, and whether the reply ends with it.

        A line that is no part of a reply has the code b"".
        """
        match = _LINE.fullmatch(line)
        code, mark = match.groups(b"") if match else (b"", b"-")
        begin = len(code + mark) if match else 0
        if self._under_way and (code != self._under_way or mark == b"-"):
            return self._under_way, begin, False
        self._under_way = code if mark == b"-" else b""
        return code, begin, mark != b"-"

    def begun(self, line: bytes) -> tuple[bytes, int]:
        """The code of a line that has begun, b"" if it is not known yet, and where its text begins."""
        if self._under_way:
            return self._under_way, 0
        match = _BEGUN.match(line)
        return (match[1], match.end()) if match else (b"", 0)
