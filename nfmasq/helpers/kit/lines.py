"""One side's stream cut into lines; no more bytes wait than a dialogue asks for.

What is stored: the bytes already taken of the line that has begun. So a dialogue sees whole lines, although
most of their bytes went on their way early. Who writes: `take` alone; `cut` reads. What ends it: the line's
end.
"""

import re
from collections.abc import Callable, Sequence

MOST_LINES = 512
"""Lines in one reading, which has 4096 bytes at most: a sender of more wants to keep the helper busy."""

_HTTP_REQUEST = re.compile(rb" HTTP/[0-9](?:\.[0-9])?\r?\n\Z")
_HTTP_HEADER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:")

Line = tuple[int, bytes]
"""A line with its end, and where it begins in the bytes given; below 0: in bytes that were taken before."""


class Speech:
    """The lines of one side. longest: bytes of a line, its end included.

    overrun: a line was longer, or there were more than MOST_LINES. The lines before it were given; no more
    are. has_spoken: the first line was read; the dialogue writes it.
    """

    __slots__ = ("_begun", "_longest", "has_spoken", "overrun")

    def __init__(self, longest: int) -> None:
        self.overrun = self.has_spoken = False
        self._longest = longest
        self._begun = b""

    def cut(self, data: bytes) -> tuple[list[Line], Line]:
        """The whole lines, each with its LF, and the line that has begun, which may be empty."""
        before = len(self._begun)
        text = self._begun + data
        lines: list[Line] = []
        at, end = 0, text.find(b"\n", before) + 1
        while end and not self._too_long(end - at):
            if len(lines) == MOST_LINES:
                self.overrun = True
                break
            lines.append((at - before, text[at:end]))
            at, end = end, text.find(b"\n", end) + 1
        self._too_long(len(text) - at if not end else 0)
        return lines, (at - before, text[at:])

    def take(self, data: bytes, begun: Line, wait_from: Callable[[bytes], int]) -> int:
        """Remember the line that has begun; return how many bytes of `data` may go on their way.

        wait_from: from which byte of such a line on its bytes must wait; its length, if none must.
        """
        at, line = begun
        if not line:
            self._begun = b""
            return at
        going = max(wait_from(line), -at)
        self._begun = line[:going]
        return at + going

    def _too_long(self, length: int) -> bool:
        self.overrun = self.overrun or length > self._longest
        return self.overrun


def is_http_request(line: bytes) -> bool:
    """Does a browser begin so? A script in it chooses the verb, which may be USER or NICK, too."""
    return _HTTP_REQUEST.search(line) is not None


def is_http_header(line: bytes) -> bool:
    """Is this a header of a browser's request? The first one it always sends is Host."""
    return _HTTP_HEADER.match(line) is not None


def behind(pattern: re.Pattern[bytes], begun: bytes) -> int:
    """Where the pattern that a line begins with ends; the line's length if it does not begin so."""
    match = pattern.match(begun)
    return match.end() if match else len(begun)


def may_become(begun: bytes, beginnings: Sequence[bytes]) -> bool:
    """Can a line that has begun like this still begin with one of these (upper case) words?"""
    begun = begun.upper()
    return any(word.startswith(begun[: len(word)]) for word in beginnings)
