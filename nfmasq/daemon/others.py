"""Follows the rules of other programs: whether they lead packets inside, and what of them stands in the way.

What is stored: whether a look is due, when the next may be, and the answers of the last look. One thread
alone may call `follow`; any thread may read `leads`. A look that fails leaves the answers as they were.

A look starts programs, and container engines change rules many times a second. So the looks together take a
bounded share of a processor: the first one comes immediately, then none before its cost is paid off, and the
last one when the changes are over.
"""

import resource
import time
from collections.abc import Callable

from nfmasq.diversion import DiversionPlan, Others, foreign_problems, others_lead_inside, read_others

SHARE = 0.02
"""The part of a processor that looks take while rules change all the time."""
LONGEST_PAUSE_S = 60.0
"""Rules that take longer to read than their share allows are read this often all the same."""


class FollowedOthers:
    """The rules of others beside one daemon.

    clock: seconds that pass; spent: seconds of a processor that this thread and ended programs took.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, spent: Callable[[], float] | None = None
    ) -> None:
        self.leads = False
        self.problems: tuple[str, ...] = ()
        self._clock = clock
        self._spent = spent or processor_seconds
        self._due = True
        self._not_before = clock()
        self._judged_for: DiversionPlan | None = None

    def follow(self, plan: DiversionPlan, touched: bool) -> bool:
        """Look if it is time to; return whether it was. touched: rules changed since the last call.

        Raises whatever the reading of odd rules raises; then the look is due again.
        """
        self._due |= touched or plan != self._judged_for
        if not self._due or self._clock() < self._not_before:
            return False
        before = self._spent()
        try:
            self._look(plan)
        finally:
            cost = self._spent() - before
            self._not_before = self._clock() + min(cost / SHARE, LONGEST_PAUSE_S)
        self._due = False
        return True

    def _look(self, plan: DiversionPlan) -> None:
        others: Others = read_others()
        leads, problems = others_lead_inside(others), foreign_problems(plan, others)
        self.leads, self.problems, self._judged_for = leads, tuple(problems), plan


def processor_seconds() -> float:
    """What this thread took of a processor so far, and all programs that were started and have ended."""
    own, ended = (resource.getrusage(of) for of in (resource.RUSAGE_THREAD, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in (own, ended))
