"""Keeps the core and the kernel as the configuration and the machine's surroundings say.

What is stored: the configuration in force, and the parts: all forwards, the helpers, the surroundings, the
policy of the core, the rules with their guard, the rules of others, and the problems. One thread alone may
call the methods that change something (the daemon's hand); any thread may ask for `situation`. `begin` starts
it, `withdraw` ends it and removes the rules.

`reconcile` follows the surroundings and corrects what differs from them. A missed event does no harm: it is
seen within a second. Policy first, then the guard, then the rules: whatever fails between them, packets are
dropped rather than leave with an internal address. Each part is followed for itself: the failure of one is a
problem in the status, and the others go on.
"""

import logging
from ipaddress import IPv4Network
from typing import Any

from nfmasq._fastpath import Table
from nfmasq.config import Config
from nfmasq.control.running import Situation
from nfmasq.daemon.helping import Helping
from nfmasq.daemon.others import FollowedOthers
from nfmasq.daemon.plan import Planned
from nfmasq.daemon.policy import FollowedPolicy
from nfmasq.daemon.problems import Problems
from nfmasq.daemon.rules import RULES_FAILED, Rules
from nfmasq.daemon.surroundings import FollowedSurroundings
from nfmasq.diversion import Diversion, DiversionPlan
from nfmasq.diversion.forwarding_stop import memory_beside
from nfmasq.runtime.forwards import Entry, Forwards
from nfmasq.runtime.helpers import Entry as HelperEntry

log = logging.getLogger("nfmasq")


class Supervisor:
    """The surroundings of one table. queues: the first that the rules divert to, and their number."""

    def __init__(
        self,
        config: Config,
        table: Table,
        diversion: Diversion,
        queues: tuple[int, int],
        helping: Helping,
    ) -> None:
        self.config = config
        self.forwards = Forwards(config)
        self.helping = helping
        self.rules = Rules(diversion, memory_beside(config.engine.state))
        self.surroundings = FollowedSurroundings(config)
        self.policy = FollowedPolicy(table, self.forwards, helping)
        self.others = FollowedOthers()
        self._problems = Problems()
        self._planned = Planned(queues)

    def begin(self) -> None:
        """Set up the policy, the guard and the rules. Raises one of RULES_FAILED."""
        self._look()
        self._read_others(None)
        self._keep_policy()
        self.rules.begin(self._plan())

    def doorbells(self) -> set[int]:
        """The descriptors that are readable when it is time to look again."""
        return {self.surroundings.doorbell, self.rules.doorbell} - {-1}

    def adopt(self, config: Config) -> list[str]:
        """Adopt another configuration; return the warnings about forwards that were added."""
        warnings = self.forwards.adopt(config)
        self.helping.adopt(config)
        self.config = config
        self.rules.outdated(at_once=True)
        self.reconcile()
        return warnings

    def add_forward(self, table: dict[str, Any], persist: bool) -> Entry:
        """Add a forward, in force when this returns. Raises as `Forwards.add` does."""
        outsides = self.surroundings.now.outsides
        own = [address for outside in outsides for address in outside.addresses]
        entry, changed = self.forwards.add(table, persist, own)
        if changed:
            self._forward_anew()
        return entry

    def remove_forward(self, identity: str) -> Entry:
        """End a forward that was added; its sessions go on. Raises as `Forwards.remove` does."""
        entry = self.forwards.remove(identity)
        self._forward_anew()
        return entry

    def set_helper(self, name: str, enabled: bool, network: IPv4Network | None) -> HelperEntry:
        """Enable or disable a helper, in force when this returns. Raises as the switchboard does."""
        entry = self.helping.set_enabled(name, enabled, network)
        self._keep_policy()
        return entry

    def reconcile(self) -> None:
        """Follow the surroundings once and correct what differs."""
        self._look()
        self._keep_policy()
        self._keep_rules()

    def withdraw(self, keep_guard: bool = False) -> None:
        """Remove the rules for good, then the guard unless it shall stay. A failure is logged."""
        self.rules.withdraw(keep_guard)
        self.surroundings.close()
        self.policy.close()

    def situation(self) -> Situation:
        """The surroundings at this moment."""
        problems = self._problems.now()
        if not self.rules.in_place:
            problems.setdefault("rules", "the rules are not in place")
        now = self.surroundings.now
        return Situation(
            uplinks=self.surroundings.uplinks,
            internal_interfaces=tuple(self.config.nat.internal),
            internal_networks=now.internal,
            untranslated_networks=now.untranslated,
            diversion=self.rules.diversion.name,
            rules_in_place=self.rules.in_place,
            rules_reinstalled=self.rules.reinstalled,
            address_changes=self.policy.address_changes,
            problems=(*problems.values(), *self.rules.flushed()),
            warnings=(
                *self.forwards.warnings,
                *self.policy.warnings,
                *filter(None, [self.rules.warning, self.rules.drops_warning]),
            ),
            guard_drops=self.rules.drops.totals(),
        )

    def _look(self) -> None:
        """Follow the surroundings. While they cannot be read, those of the last look stay."""
        try:
            if self.surroundings.follow(self.config):
                self.rules.outdated()
        except Exception as error:  # the policy and the rules are followed all the same
            self._failed("surroundings", "links, addresses and routes cannot be followed", error)
        else:
            self._problems.report("surroundings", "")
        now = self.surroundings.now
        self._problems.report_all("surrounding", now.problems)
        nothing = f"no internal network on {', '.join(self.config.nat.internal)}"
        self._problems.report("network", "" if now.internal or now.untranslated else nothing)

    def _keep_policy(self) -> None:
        try:
            self.policy.follow(self.config, self.surroundings.now, self._others_lead())
        except Exception as error:  # the rules are kept all the same
            self._failed("policy", "the core keeps its policy of before", error)
        else:
            self._problems.report("policy", "")

    def _others_lead(self) -> bool:
        """Whether others lead packets inside, and rules of ours bring what they leave. So the core hears it.

        Before the first rules: the plan's word, for these follow or the daemon ends.
        """
        laid = self.rules.laid
        brought = self.rules.diversion.name != "none" and (laid is None or laid.others_lead)
        return self._planned.others_lead and brought

    def _forward_anew(self) -> None:
        self._keep_policy()
        self._keep_rules()

    def _keep_rules(self) -> None:
        if self.rules.withdrawn:
            return
        try:
            plan = self._plan()
        except RULES_FAILED as error:
            self._failed("plan", "the rules stay as they were", error)
            return
        self._problems.report("plan", "")
        for part, problem in self.rules.keep(plan).items():
            self._problems.report(part, problem)
        if self.policy.now is not None and self.policy.now.others_lead != self._others_lead():
            self._keep_policy()  # the rules that bring what others leave are laid now
        self._look_at_others(plan)

    def _plan(self) -> DiversionPlan:
        """What the rules must divert now. Raises one of RULES_FAILED."""
        beyond = self.policy.ports_beyond()
        return self._planned.plan(self.config, self.surroundings.now, self.policy.now, beyond)

    def _look_at_others(self, plan: DiversionPlan) -> None:
        """Report rules of other programs that stand in the way of these."""
        led = self._planned.others_lead
        self._read_others(plan)
        if self._planned.others_lead == led:
            return
        if led:
            self._keep_policy()  # before the rules go that bring back what the core lets by
        self._keep_rules()

    def _read_others(self, plan: DiversionPlan | None) -> None:
        """Read whether others lead packets inside, and if it is time, what stands in the way of a plan."""
        try:
            if plan is None:
                self.others.begin()
            elif not self.others.follow(plan, self.rules.others_touched):
                return
        except Exception as error:  # others' rules may be of any shape; ours are kept all the same
            self._failed("others", "the rules of other programs cannot be read", error)
            return
        self._problems.report_all("others' rules", self.others.problems)
        self._problems.report("others", "")
        self._planned.others_lead = self.others.leads

    def _failed(self, subject: str, consequence: str, error: Exception) -> None:
        """A problem in the status; a fault of ours is in the log with its place, once."""
        problem = f"{consequence}: {str(error) or type(error).__name__}"
        if not isinstance(error, (OSError, *RULES_FAILED)) and problem != self._problems.now().get(subject):
            log.error("%s", problem, exc_info=error)
        self._problems.report(subject, problem)
