"""One side's stream cut into lines, of which no more is held back than a helper asks for.

What is stored: what was taken already of the line that has begun, so that a dialogue sees lines whole
although most of their bytes went on their way at once. `cut` reads it, `take` alone writes it; the line's end
ends it.
"""

import re
from collections.abc import Callable

MOST_LINES = 512
"""In what is read at once, 4096 bytes at most: whoever sends more of them wants to keep the helper busy."""

_HTTP_REQUEST = re.compile(rb" HTTP/[0-9](?:\.[0-9])?\r?\n\Z")
_HTTP_HEADER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:")

Line = tuple[int, bytes]
"""Where a line begins in the bytes given (below 0: in bytes taken earlier), and the line with its end."""


class Speech:
    """What one side says. longest: bytes of a line, its end included.

    overrun: a line was longer, or there were more than MOST_LINES; the lines before were given, and nothing
    more will be.
    """

    __slots__ = ("_begun", "_longest", "overrun")

    def __init__(self, longest: int) -> None:
        self.overrun = False
        self._longest = longest
        self._begun = b""

    def cut(self, data: bytes) -> tuple[list[Line], Line]:
        """The whole lines, each with its LF, and the one that has begun, maybe empty."""
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

    def take(self, data: bytes, begun: Line, hold_from: Callable[[bytes], int]) -> int:
        """Remember the line that has begun; return how many bytes of `data` may go on their way.

        hold_from: from which byte of such a line on it must be held back; its length for nothing of it.
        """
        at, line = begun
        if not line:
            self._begun = b""
            return at
        going = max(hold_from(line), -at)
        self._begun = line[:going]
        return at + going

    def _too_long(self, length: int) -> bool:
        self.overrun = self.overrun or length > self._longest
        return self.overrun


def is_http_request(line: bytes) -> bool:
    """Is it how a browser begins? A script in one chooses the verb: also USER, or NICK."""
    return _HTTP_REQUEST.search(line) is not None


def is_http_header(line: bytes) -> bool:
    """Is it what a browser goes on with? The first one it always sends is Host."""
    return _HTTP_HEADER.match(line) is not None
