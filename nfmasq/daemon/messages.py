"""The daemon's log: one line an event on stderr, and no flood.

What is stored: for each kind of message, the beginning of its window, how many were written in it, and how
many were left out. A kind is a place in the code, so there are as many as there are log calls. `handle` of
any thread writes it, under the handler's lock. A window ends after WINDOW_S; then one line tells how many
messages were left out.
"""

import logging
import os
import sys
import time
from dataclasses import dataclass
from typing import TextIO

from aiohttp.http import HttpProcessingError

WINDOW_S = 60.0
MOST_LINES_A_MINUTE = 60
"""Messages of one kind within a window."""
MOST_TRACEBACKS = 3
"""The same, of those that tell their place in the code."""

WHOLE = {"whole": True}
"""`extra` of a message that is never left out."""

log = logging.getLogger("nfmasq")


@dataclass
class _Kind:
    """A kind of message. last: the record that was left out last."""

    began: float
    written: int = 0
    left_out: int = 0
    last: logging.LogRecord | None = None


class Sparing(logging.StreamHandler[TextIO]):
    """Writes at most MOST_LINES_A_MINUTE of each kind within WINDOW_S, and counts what it leaves out."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._kinds: dict[tuple[str, int], _Kind] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        self.tell_left_out()
        if getattr(record, "whole", False):
            super().emit(record)
            return
        kind = self._kinds.setdefault((record.pathname, record.lineno), _Kind(time.monotonic()))
        if kind.written < (MOST_TRACEBACKS if record.exc_info else MOST_LINES_A_MINUTE):
            kind.written += 1
            super().emit(record)
        else:
            kind.left_out += 1
            kind.last = record

    def tell_left_out(self) -> None:
        """Write a line for each kind whose window has ended and that left something out."""
        self.acquire()
        try:
            for place, kind in list(self._kinds.items()):
                if time.monotonic() < kind.began + WINDOW_S:
                    continue
                del self._kinds[place]
                if kind.last is not None:
                    super().emit(_summary(kind.last, kind.left_out))
        finally:
            self.release()


def to_stderr() -> None:
    """Log to stderr, without the time where the journal writes its own."""
    when = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    handler = Sparing(sys.stderr)
    handler.addFilter(_is_our_fault)
    handler.setFormatter(logging.Formatter(f"{when}%(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)


def tell_left_out() -> None:
    """Tell what was left out lately. Called every second: no message of the kind may come again."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Sparing):
            handler.tell_left_out()


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether an error is ours. A client that sends no HTTP gets 400, and no line in the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _summary(last: logging.LogRecord, left_out: int) -> logging.LogRecord:
    text = f"{left_out} more messages like this one were left out: {last.getMessage()}"
    return logging.LogRecord(last.name, last.levelno, last.pathname, last.lineno, text, None, None)
