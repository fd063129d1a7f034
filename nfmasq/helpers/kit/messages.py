"""One side's stream of text messages, cut into the lines of their headers (RTSP, and HTTP's other relatives).

A message is a first line, headers and an empty line; then a body, as long as Content-Length says. Bodies are
skipped by their length. So are the frames that RTSP puts between messages (RFC 2326 section 10.12, RFC 7826
section 14). A frame is a dollar sign, a channel, a length of two bytes in network order, and the data. A
dialogue hears the lines of headers, the empty one included. Behind an empty one comes a first line. A header
that is folded is one line with its folds (RFC 2616 section 2.2): it ends where the next line begins.

What is stored: as in Speech. Also whether headers are under way, the length of the body to come, and the
bytes still to be skipped. Who writes: `cut`. What ends it: a length that is no number, two that differ, or a
line that is empty for some programs alone. Then the stream is overrun, for nobody knows where the next
message begins.
"""

import re

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.kit.lines import MOST_LINES, Line, Speech
from nfmasq.helpers.kit.numbers import number

LONGEST_BODY = 0xFFFFFFFF
MOST_FRAMES = MOST_LINES
"""Frames in one reading: media have at least a header in each (RFC 3550)."""

_FRAME, _FRAME_HEADER = 0x24, 4
_LENGTH = re.compile(rb"Content-Length[ \t]*:", re.IGNORECASE)
_EMPTY_LINES = re.compile(rb"(?:\r?\n)+")
_END_OF_HEADER = re.compile(rb"\n(?=[^ \t])")
_EMPTY = b"\n", b"\r\n"


class MessageSpeech(Speech):
    """The header lines of one side. longest: bytes of a line, its folds and its end included."""

    __slots__ = ("_frames", "_in_headers", "_is_known", "_length", "_skip")

    def __init__(self, longest: int) -> None:
        super().__init__(longest)
        self._skip = self._frames = 0
        self._length: int | None = None
        self._is_known = self._in_headers = False

    def cut(self, data: bytes) -> tuple[list[Line], Line]:
        """The whole lines of headers, each with its LF, and the line or frame that has begun."""
        before = len(self._begun)
        text = self._begun + data
        lines: list[Line] = []
        self._frames = 0
        at = self._skipped(text, 0)
        while (end := self._end(text, at, before)) and not self._too_long(end - at):
            if len(lines) == MOST_LINES or self._is_frame(text, at):
                break
            line = text[at:end]
            if self._note(line):
                lines.append((at - before, line))
            at = self._skipped(text, end)
            if self.overrun:
                break
        self._too_long(len(text) - at if not end else 0)
        self.overrun = self.overrun or len(lines) == MOST_LINES
        return lines, (at - before, text[at:])

    def _end(self, text: bytes, at: int, before: int) -> int:
        """Where the line at `at` ends; 0: it has not ended in `text`. before: bytes that were searched."""
        if not self._in_headers or text.startswith(_EMPTY, at):
            return text.find(b"\n", max(at, before)) + 1
        match = _END_OF_HEADER.search(text, max(at, before - 1))
        return match.start() + 1 if match else 0

    def _skipped(self, text: bytes, at: int) -> int:
        """Where the next line begins, or a frame whose header is not whole."""
        while True:
            step = min(self._skip, len(text) - at)
            self._skip -= step
            at += step
            if not self._in_headers and self._skip == 0 and (empty := _EMPTY_LINES.match(text, at)):
                at = empty.end()
            if not self._is_frame(text, at) or len(text) - at < _FRAME_HEADER:
                return at
            self._frames += 1
            if self._frames > MOST_FRAMES:
                self.overrun = True
                return at
            self._skip = _FRAME_HEADER + (text[at + 2] << 8 | text[at + 3])

    def _is_frame(self, text: bytes, at: int) -> bool:
        """No frame comes before the first message: it would hide another protocol's beginning."""
        return self._is_known and not self._in_headers and at < len(text) and text[at] == _FRAME

    def _note(self, line: bytes) -> bool:
        """Follow the message; is the line part of one? Empty lines between messages are not."""
        if line in _EMPTY:
            was, self._in_headers = self._in_headers, False
            self._skip, self._length = self._length or 0, None
            return was
        self._is_known = self._in_headers = True
        self.overrun = self.overrun or line.startswith(b"\r")
        if match := _LENGTH.match(line):
            self._note_length(line[match.end() :].strip())
        return True

    def _note_length(self, digits: bytes) -> None:
        try:
            length = number(digits, LONGEST_BODY)
        except NotActedOn:
            self.overrun = True
            return
        self.overrun = self.overrun or self._length not in {None, length}
        self._length = length
