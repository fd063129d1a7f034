"""A bounded share of a processor for work that many events ask for.

What is stored: when the work may be done next. The first time it is done immediately; then not before what it
cost is paid off. Whoever asks remembers that work is left, and asks again: so the last event is never lost.
"""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONGEST_PAUSE_S = 60.0
"""Work that takes longer than its share allows is done this often all the same."""


def processor_seconds() -> float:
    """What this thread took of a processor so far, and all programs that were started and have ended."""
    own, ended = (resource.getrusage(of) for of in (resource.RUSAGE_THREAD, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in (own, ended))


class Share:
    """part: of a processor. clock: seconds that pass; spent: seconds of a processor that were used."""

    def __init__(
        self,
        part: float,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = processor_seconds,
    ) -> None:
        self._part = part
        self._clock = clock
        self._spent = spent
        self._not_before = clock()

    @property
    def is_left(self) -> bool:
        """Whether the work may be done now."""
        return self._clock() >= self._not_before

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Do the work; its cost is paid off from its end on, though it fails."""
        before = self._spent()
        try:
            yield
        finally:
            pause = min((self._spent() - before) / self._part, LONGEST_PAUSE_S)
            self._not_before = self._clock() + pause
