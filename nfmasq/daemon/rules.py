"""Keeps the diversion's rules and the guard in place.

What is stored: the plan the rules were made from, None when they must be made anew; whether they are in
place; when they were reinstalled. One thread alone may call the methods that change something; any thread may
read. The guard is installed before the rules and removed after them: if either fails, packets are dropped
rather than sent with an internal address. `withdraw` ends it for good.
"""

import logging
import subprocess
import time
from collections import deque

from nfmasq.diversion import Diversion, DiversionPlan, DiversionUnavailable, guard

RECENT_S = 300
"""How long reinstalled rules count as a problem: another program may flush them again and again."""

RULES_FAILED = (DiversionUnavailable, OSError, subprocess.SubprocessError)

log = logging.getLogger("nfmasq")


class Rules:
    """The rules of one daemon. diversion: what makes them."""

    def __init__(self, diversion: Diversion) -> None:
        self.diversion = diversion
        self.in_place = False
        self.reinstalled = 0
        self.withdrawn = False
        self._guarded = diversion.name != "none"  # "none": all rules are the administrator's
        self._plan: DiversionPlan | None = None
        self._flushed_at: deque[float] = deque(maxlen=1000)

    def begin(self, plan: DiversionPlan) -> None:
        """Install guard and rules. Raises one of RULES_FAILED.

        Then the rules are out again. A guard that a dead daemon left stays, so that nothing leaks meanwhile.
        """
        guarded_before = self._guarded and guard.present()
        try:
            self._install(plan)
        except RULES_FAILED:
            self.withdraw(keep_guard=guarded_before)
            raise

    def keep(self, plan: DiversionPlan) -> str:
        """Make the rules those of the plan, reinstall those that are gone; return the problem, "" for none.

        Not after `withdraw`.
        """
        try:
            if plan != self._plan:
                self._install(plan)
            else:
                self._reinstall(plan)
        except RULES_FAILED as error:
            self._plan = None  # so that the next look installs all of them anew
            self.in_place = False
            return f"the rules could not be installed: {error}"
        self.in_place = True
        return ""

    def outdated(self) -> None:
        """Note that the rules do not fit any more, until `keep` has run."""
        self.in_place = False

    def withdraw(self, keep_guard: bool = False) -> None:
        """Remove the rules for good, then the guard unless it shall stay. A failure is logged."""
        self.withdrawn = True
        self._plan = None
        self.in_place = False
        for name, remove in (("rules", self.diversion.remove), ("guard", guard.remove)):
            if name == "guard" and (keep_guard or not self._guarded):
                continue
            try:
                remove()
            except RULES_FAILED as error:
                log.error("the %s could not be removed: %s", name, error)

    def flushed(self) -> list[str]:
        """A problem while the rules were flushed lately, by whatever program."""
        recent = sum(1 for moment in list(self._flushed_at) if moment > time.monotonic() - RECENT_S)
        if not recent:
            return []
        times = "1 time" if recent == 1 else f"{recent} times"
        return [f"rules were flushed {times} in the last {RECENT_S // 60} minutes; reinstalled"]

    def _install(self, plan: DiversionPlan) -> None:
        if self._guarded:
            guard.install(plan)
        self.diversion.install(plan)
        self._plan = plan
        self.in_place = True

    def _reinstall(self, plan: DiversionPlan) -> None:
        gone = []
        if self._guarded and not guard.present():
            gone.append("guard")
            guard.install(plan)
        if not self.diversion.present():
            gone.append("rules")
            self.diversion.install(plan)
        if gone:
            self.reinstalled += 1
            self._flushed_at.append(time.monotonic())
            log.warning("another program flushed the %s; reinstalled", " and the ".join(gone))
