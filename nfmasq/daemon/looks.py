"""The daemon's periodic looks, each watched: one that raises is a problem in the status until it works again.

What is stored: the problem of each look that fails. The event loop's thread writes it, any thread may read.
A fault of one look must not end the translation, nor the other looks.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nfmasq.daemon.problems import Problems
from nfmasq.machine.shortage import shortage

log = logging.getLogger("nfmasq")


class Looks:
    """The looks of one daemon."""

    def __init__(self) -> None:
        self._problems = Problems()

    @contextmanager
    def at(self, subject: str) -> Iterator[None]:
        """Watch over one look. subject: "the look at the rules"; it begins the problem's line."""
        try:
            yield
        except Exception as error:
            why = shortage(error) or f"{type(error).__name__}; the log says why"
            problem = f"{subject} fails and is tried again: {why}"
            if self._problems.now().get(subject) != problem:
                log.error("%s", problem, exc_info=None if shortage(error) else error)
            self._problems.report(subject, problem)
        else:
            self._problems.report(subject, "")

    def problems(self) -> tuple[str, ...]:
        """A line for each look that fails."""
        return tuple(self._problems.now().values())
