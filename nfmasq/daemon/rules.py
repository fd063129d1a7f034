"""Keeps the diversion's rules and the guard in place.

What is stored: the plan the rules and the guard were made from, None when they must be made anew; whether
they are in place; when they were reinstalled; the egress program, and what stops forwarding without one; what
the guard dropped; the watch over everybody's rules, and whether a look is due. One thread alone may call the
methods that change something; any thread may read. The guard is installed before the rules and removed after
them: if either fails, packets are dropped rather than sent with an internal address. `withdraw` ends it for
good.

Programs are started only for another plan, and when somebody changed rules: nft and iptables-nft tell the
watch, and legacy iptables' tables are compared at each look.
"""

import logging
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Protocol

from nfmasq.diversion import Diversion, DiversionPlan, DiversionUnavailable, guard
from nfmasq.diversion.egress import EgressGuard
from nfmasq.diversion.forwarding_stop import ForwardingStop, guard_stands
from nfmasq.diversion.guard_drops import GuardDrops
from nfmasq.machine.rule_changes import RuleChanges

RECENT_S = 300
"""How long reinstalled rules count as a problem: another program may flush them again and again."""

RULES_FAILED = (DiversionUnavailable, OSError, subprocess.SubprocessError)

log = logging.getLogger("nfmasq")


class Layer(Protocol):
    """The guard or a diversion."""

    def install(self, plan: DiversionPlan) -> None: ...
    def remove(self) -> None: ...
    def present(self) -> bool: ...


class Laid:
    """The guard or the rules, as one plan says. Nothing of them is known before the first `keep`."""

    def __init__(self, name: str, layer: Layer) -> None:
        self.name = name
        self.in_place = False
        self._layer = layer
        self._plan: DiversionPlan | None = None

    def install(self, plan: DiversionPlan) -> None:
        """Install it for the plan. Raises one of RULES_FAILED; then the next `keep` installs it anew."""
        self._plan, self.in_place = None, False
        self._layer.install(plan)
        self._plan, self.in_place = plan, True

    def keep(self, plan: DiversionPlan, look: bool) -> bool:
        """Install it for another plan, or if a look finds it gone; return whether it was gone.

        Raises one of RULES_FAILED.
        """
        if plan != self._plan:
            self.install(plan)
        elif look and not self._is_present():
            self.install(plan)
            return True
        self.in_place = True
        return False

    def _is_present(self) -> bool:
        """Whether it is there. A look that fails leaves it unknown: the next `keep` installs it anew."""
        try:
            return self._layer.present()
        except RULES_FAILED:
            self._plan, self.in_place = None, False
            raise

    def remove(self) -> None:
        """Remove it. A failure is logged."""
        self._plan, self.in_place = None, False
        try:
            self._layer.remove()
        except RULES_FAILED as error:
            log.error("the %s could not be removed: %s", self.name, error)


class Rules:
    """The rules of one daemon. diversion: what makes them; "none": all rules are the administrator's.

    looked: whether somebody's rules may have changed before the last `keep`. memory: see ForwardingStop.
    """

    def __init__(self, diversion: Diversion, memory: Path | None = None) -> None:
        self.diversion = diversion
        self.reinstalled = 0
        self.withdrawn = False
        self.looked = False
        self.warning = ""
        self.drops = GuardDrops()
        self._egress = EgressGuard()
        self._forwarding = ForwardingStop(memory)
        self._guard = Laid("guard", guard)
        self._rules = Laid("rules", diversion)
        self._laid = (self._rules,) if diversion.name == "none" else (self._guard, self._rules)
        self._kept: DiversionPlan | None = None
        self._must_look = True
        self._changes: RuleChanges | None = None
        self._flushed_at: deque[float] = deque(maxlen=1000)

    @property
    def in_place(self) -> bool:
        """Whether the rules and the guard are."""
        return all(each.in_place for each in self._laid)

    @property
    def doorbell(self) -> int:
        """The descriptor that is readable when rules changed; -1: there is none."""
        return -1 if self._changes is None else self._changes.fileno()

    def begin(self, plan: DiversionPlan) -> None:
        """Install guard and rules. Raises one of RULES_FAILED.

        Then the rules are out again. A guard that a dead daemon left stays, so that nothing leaks meanwhile.
        """
        guarded_before = self._guard in self._laid and guard.present()
        try:
            self._keep_egress(plan)
            for each in self._laid:
                each.install(plan)
            self._forwarding.resume(plan.internal)
        except RULES_FAILED:
            self.withdraw(keep_guard=guarded_before)
            raise

    def keep(self, plan: DiversionPlan) -> dict[str, str]:
        """Make all as the plan says, and reinstall what is gone; return each part's problem, "" for none.

        Not after `withdraw`.
        """
        self._must_look |= self._changed()
        look = self.looked = self._must_look
        problems, gone = {}, ["egress program"] if self._keep_egress(plan) else []
        if self.warning and look and not guard_stands():
            self._forwarding.stop(plan.internal)
        counted = look or plan != self._kept
        if counted:
            self.count_drops()
        for each in self._laid:
            try:
                if each.keep(plan, look):
                    gone.append(each.name)
                    if each is self._guard:
                        self.drops.begin_anew("rules")
                problems[each.name] = ""
            except RULES_FAILED as error:
                problems[each.name] = f"the {each.name} could not be installed: {error}"
        problems["forwarding"] = self._resume_forwarding()
        self._must_look = any(problems.values())  # a change that was seen is gone from the watch
        if counted:
            self.count_drops()
        self._kept = plan
        if gone:
            self.reinstalled += 1
            self._flushed_at.append(time.monotonic())
            log.warning("another program flushed the %s; reinstalled", " and the ".join(gone))
        return problems

    def _resume_forwarding(self) -> str:
        """Let internal interfaces forward again once the guard stands; return the problem until then."""
        if self._forwarding.stopped and (self._guard.in_place or not self.warning):
            self._forwarding.resume()
        stopped = ", ".join(self._forwarding.stopped)
        problem = f"forwarding from {stopped} is stopped until the guard is back"
        return problem if stopped else ""

    def count_drops(self) -> None:
        """Read what the guard has dropped; takes a few milliseconds, for a program that lists its rules."""
        if self._guard not in self._laid:
            return
        try:
            self.drops.take("rules", guard.dropped())
            self.drops.take("program", self._egress.dropped())
        except (*RULES_FAILED, ValueError) as error:  # the counts of before stay: laying goes on
            log.warning("what the guard dropped cannot be read: %s", error)

    def _keep_egress(self, plan: DiversionPlan) -> bool:
        """Keep the egress program; return whether it was gone. Without it there is a warning, no problem."""
        if self._guard not in self._laid:
            return False
        try:
            gone = self._egress.keep(plan)
        except RULES_FAILED as error:
            if not self.warning:
                log.warning("%s", error)
            self.warning = str(error)
            return False
        self.warning = ""
        return gone

    def outdated(self) -> None:
        """Note that the rules do not fit any more, until `keep` has run."""
        for each in self._laid:
            each.in_place = False

    def withdraw(self, keep_guard: bool = False) -> None:
        """Remove the rules for good, then the guard unless it shall stay. A failure is logged."""
        self.withdrawn = True
        for each in reversed(self._laid):
            if each is self._rules or not keep_guard:
                each.remove()
        if not keep_guard and self._guard in self._laid:
            try:
                self._egress.remove()
            except RULES_FAILED as error:
                log.error("%s", error)
        if self._changes is not None:
            self._changes.close()
            self._changes = None

    def flushed(self) -> list[str]:
        """A problem while the rules were flushed lately, by whatever program."""
        recent = sum(1 for moment in list(self._flushed_at) if moment > time.monotonic() - RECENT_S)
        if not recent:
            return []
        times = "1 time" if recent == 1 else f"{recent} times"
        return [f"rules were flushed {times} in the last {RECENT_S // 60} minutes; reinstalled"]

    def _changed(self) -> bool:
        """Whether rules of anybody may have changed since the last look. At the first: yes."""
        if self._changes is None:
            self._changes = RuleChanges()
            return True
        return self._changes.seen()
