"""Keeps the diversion's rules and the guard in place.

What is stored: the plan the rules and the guard were made from, None when they must be made anew; whether
they are in place; when they were reinstalled; the egress program, and what stops forwarding without one; what
the guard dropped; the watch over everybody's rules, and the tables that are still to be looked at. One thread
alone may call the methods that change something; any thread may read. The guard is installed before the rules
and removed after them: if either fails, packets are dropped rather than sent with an internal address.
`withdraw` ends it for good.

Routes behind the router may change many times a second. Rules that differ by such networks alone are laid
within a bounded share of a processor: the first ones immediately, the last ones when the changes are over.

Programs are started only for another plan, and when somebody changed rules in a table that ours are in: nft
and iptables-nft tell the watch which tables, and legacy iptables' tables are compared at each look.
"""

import logging
import time
from collections import deque
from pathlib import Path

from nfmasq.daemon.laid import RULES_FAILED, Laid
from nfmasq.daemon.share import Share
from nfmasq.diversion import Diversion, DiversionPlan, guard
from nfmasq.diversion.egress import EgressGuard
from nfmasq.diversion.forwarding_stop import ForwardingStop, guard_stands
from nfmasq.diversion.guard_drops import GuardDrops
from nfmasq.machine.rule_changes import RuleChanges
from nfmasq.machine.watches import EVERYTHING, NOTHING, Touched

RECENT_S = 300
"""How long reinstalled rules count as a problem: another program may flush them again and again."""

LAYING_SHARE = 0.02
"""The part of a processor that laying takes while networks behind the router change all the time."""

OURS_ALONE = frozenset({"ip nfmasq", f"ip {guard.TABLE}"})
"""The tables that have no rules of others."""

__all__ = ["RULES_FAILED", "Rules"]

log = logging.getLogger("nfmasq")


class Rules:
    """The rules of one daemon. diversion: what makes them; "none": all rules are the administrator's.

    others_touched: whether a table that has rules of others was touched before the last `keep`. memory: see
    ForwardingStop.
    """

    def __init__(self, diversion: Diversion, memory: Path | None = None) -> None:
        self.diversion = diversion
        self.reinstalled = 0
        self.withdrawn = False
        self.others_touched = False
        self.warning = ""
        self.drops_warning = ""
        self.drops = GuardDrops()
        self._egress = EgressGuard()
        self._forwarding = ForwardingStop(memory)
        self._guard = Laid("guard", guard, guard.stands_in)
        self._rules = Laid("rules", diversion, lambda: diversion.stands_in)
        self._laid = (self._rules,) if diversion.name == "none" else (self._guard, self._rules)
        self._kept: DiversionPlan | None = None
        self._due = EVERYTHING
        self._at_once = False
        self._laying = Share(LAYING_SHARE)
        self._changes: RuleChanges | None = None
        self._flushed_at: deque[float] = deque(maxlen=1000)

    @property
    def in_place(self) -> bool:
        """Whether the rules and the guard are."""
        return all(each.in_place for each in self._laid)

    @property
    def laid(self) -> DiversionPlan | None:
        """The plan of the rules that were laid last; None: none were, or they are withdrawn."""
        return self._rules.last

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
            self._forwarding.resume()
            self._kept = plan
        except RULES_FAILED:
            self.withdraw(keep_guard=guarded_before)
            raise

    def keep(self, plan: DiversionPlan) -> dict[str, str]:
        """Make all as the plan says, and reinstall what is gone; return each part's problem, "" for none.

        Not after `withdraw`.
        """
        self._due = touched = self._due | self._touched()  # if this fails, it is still due
        self.others_touched = touched.goes_beyond(OURS_ALONE)
        if self._may_wait(plan) and self._kept is not None:
            plan = self._kept
        self._at_once = False
        if plan == self._kept:
            return self._keep(plan, touched)
        with self._laying.spending():
            return self._keep(plan, touched)

    def _may_wait(self, plan: DiversionPlan) -> bool:
        return (
            self._kept is not None
            and plan != self._kept
            and not (self._at_once or self._laying.is_left)
            and plan.differs_by_networks_alone(self._kept)
        )

    def _keep(self, plan: DiversionPlan, touched: Touched) -> dict[str, str]:
        problems, gone = {}, ["egress program"] if self._keep_egress(plan) else []
        may_be_gone = self._guard.may_be_gone(touched)
        if self.warning and may_be_gone and not _guard_is_there():
            self._forwarding.stop(plan.internal)
        counted = plan != self._kept or may_be_gone
        if counted:
            self.count_drops()
        for each in self._laid:
            try:
                if each.keep(plan, touched):
                    gone.append(each.name)
                    if each is self._guard:
                        self.drops.begin_anew("rules")
                problems[each.name] = ""
            except RULES_FAILED as error:
                problems[each.name] = f"the {each.name} could not be installed: {error}"
        problems["forwarding"] = self._resume_forwarding()
        # A change that was seen is gone from the watch.
        self._due = EVERYTHING if any(problems.values()) else NOTHING
        if plan != self._kept or gone:
            self.count_drops()
        self._kept = plan
        if gone:
            self.reinstalled += 1
            self._flushed_at.append(time.monotonic())
            log.warning("another program flushed the %s; reinstalled", " and the ".join(gone))
        return problems

    def _resume_forwarding(self) -> str:
        """Let internal interfaces forward again once the guard stands; return the problems until then."""
        if self._forwarding.problems() and (self._guard.in_place or not self.warning):
            self._forwarding.resume()
        return "; ".join(self._forwarding.problems())

    def count_drops(self) -> None:
        """Read what the guard has dropped; takes a few milliseconds, for a program that lists its rules."""
        if self._guard not in self._laid:
            return
        warning = ""
        try:
            self.drops.take("rules", guard.dropped())
            self.drops.take("program", self._egress.dropped())
        except (*RULES_FAILED, ValueError) as error:  # the counts of before stay: laying goes on
            warning = f"what the guard dropped cannot be read: {error}"
            if warning != self.drops_warning:
                log.warning("%s", warning)
        self.drops_warning = warning

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

    def outdated(self, at_once: bool = False) -> None:
        """Note that the rules do not fit any more, until `keep` has run. at_once: it puts nothing off."""
        self._at_once |= at_once
        for each in self._laid:
            each.in_place = False

    def withdraw(self, keep_guard: bool = False) -> None:
        """Remove the rules for good, then the guard unless it shall stay. A failure is logged."""
        self.withdrawn = True
        if stopped := ", ".join(self._forwarding.stopped):
            log.warning("forwarding from %s stays stopped; start nfmasq, or run `nfmasq withdraw`", stopped)
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

    def _touched(self) -> Touched:
        """The tables whose rules may have changed since the last look. At the first: every one."""
        if self._changes is None:
            self._changes = RuleChanges()
            return EVERYTHING
        return self._changes.seen()


def _guard_is_there() -> bool:
    """Is the guard there? Asks a program only for a guard by iptables."""
    try:
        return guard_stands() or (guard.is_by_iptables() and guard.present())
    except RULES_FAILED:
        return False
