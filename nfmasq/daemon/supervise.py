"""Keeps the core and the kernel as the configuration and the machine's surroundings say.

What is stored: the configuration in force, all forwards and the switches of the helpers, the uplink as last
read, the policy the core has, the plan the rules were made from, and counts. One thread alone may call the
methods that change something (the daemon has one for it); anybody may ask for `situation`. `begin` starts
it, `withdraw` ends it and takes the rules out.

`reconcile` compares what is with what should be and mends the difference, so it does not matter what was
missed: a doorbell only makes it run sooner than the next second. Policy first, then the guard, then the
rules: whatever fails between them, packets are dropped rather than leave with an internal address.
An interface or address that goes away for a while changes nothing but the status, and nothing passes; another
address ends the old one's sessions.
"""

import logging
import subprocess
import time
from collections import deque
from ipaddress import IPv4Network
from typing import Any

from nfmasq._fastpath import Table
from nfmasq.config import Config, policy_of
from nfmasq.control.schemas import Situation
from nfmasq.core.policy import Policy
from nfmasq.daemon.helping import Helping
from nfmasq.diversion import Diversion, DiversionPlan, DiversionUnavailable, guard
from nfmasq.machine.interfaces import Uplink, UplinkMissing, read_uplink
from nfmasq.machine.local_ports import local_ports
from nfmasq.machine.overlap import overlaps
from nfmasq.runtime.forwards import Entry, Forwards
from nfmasq.runtime.helpers import Entry as HelperEntry

RECENT_S = 300
"""How long rules that were flushed and put back count as a problem: somebody may be fighting with us."""

RULES_FAILED = (DiversionUnavailable, OSError, subprocess.SubprocessError)

log = logging.getLogger("nfmasq")


class Supervisor:
    """The surroundings of one table: its uplink, its rules, its guard."""

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
        self._table = table
        self._diversion = diversion
        self._guarded = diversion.name != "none"  # "none": all rules are the administrator's
        self._queues = queues
        self._uplink = Uplink(external=(), internal=())
        self._policy: Policy | None = None
        self._plan: DiversionPlan | None = None
        self._rules_in_place = False
        self._withdrawn = False
        self._last_address = ""
        self._address_changes = 0
        self._restored: deque[float] = deque(maxlen=1000)
        self._restored_ever = 0
        self._problems: dict[str, str] = {}
        self._strays: list[str] = []
        self._strays_of: tuple[Uplink, tuple[Entry, ...], Config] | None = None

    def begin(self) -> None:
        """Set up the policy, the guard and the rules. Raises UplinkMissing or one of RULES_FAILED.

        Then the rules are out again; a guard that a dead daemon left stays, so that nothing leaks meanwhile.
        """
        self._follow(self.config, read_uplink(self.config.nat))
        guarded_before = self._guarded and guard.present()
        try:
            self._install(self._planned())
        except RULES_FAILED:
            self.withdraw(keep_guard=guarded_before)
            raise

    def adopt(self, config: Config) -> list[str]:
        """Take over another configuration; return what to know about the forwards that were added.

        Raises UplinkMissing, and then the old one stays.
        """
        uplink = read_uplink(config.nat)
        told = self.forwards.adopt(config)
        self.helping.adopt(config)
        self.config = config
        self._rules_in_place = False
        self._follow(config, uplink)
        self._hold_rules()
        return told

    def add_forward(self, table: dict[str, Any], persist: bool) -> Entry:
        """Add a forward, in force when this returns. Raises as `Forwards.add` does."""
        entry, changed = self.forwards.add(table, persist, self._uplink.external)
        if changed:
            self._forward_anew()
        return entry

    def remove_forward(self, identity: str) -> Entry:
        """End a forward that was added; its live sessions go on. Raises as `Forwards.remove` does."""
        entry = self.forwards.remove(identity)
        self._forward_anew()
        return entry

    def turn_helper(self, name: str, enabled: bool, network: IPv4Network | None) -> HelperEntry:
        """Switch a helper, as it is when this returns. Raises as `Switchboard.turn` does."""
        entry = self.helping.turn(name, enabled, network)
        self._follow(self.config, self._uplink)
        return entry

    def reconcile(self) -> None:
        """Look at everything once and mend what differs."""
        try:
            uplink = read_uplink(self.config.nat)
        except (UplinkMissing, OSError, subprocess.SubprocessError) as error:
            self._set("uplink", str(error))
            uplink = self._uplink
        else:
            self._set("uplink", "")
        self._follow(self.config, uplink)
        self._hold_rules()

    def withdraw(self, keep_guard: bool = False) -> None:
        """Take the rules out for good, then the guard unless it shall stay. What fails is logged."""
        self._withdrawn = True
        self._plan = None
        self._rules_in_place = False
        for name, remove in (("rules", self._diversion.remove), ("guard", guard.remove)):
            if name == "guard" and (keep_guard or not self._guarded):
                continue
            try:
                remove()
            except RULES_FAILED as error:
                log.error("the %s could not be taken out: %s", name, error)

    def situation(self) -> Situation:
        """What the surroundings are now."""
        return Situation(
            external_interface=self.config.nat.external,
            external_addresses=self._uplink.external,
            internal_interfaces=tuple(self.config.nat.internal),
            internal_networks=self._uplink.internal,
            diversion=self._diversion.name,
            rules_in_place=self._rules_in_place,
            rules_restored=self._restored_ever,
            address_changes=self._address_changes,
            problems=(*self._problems_now(), *self._flushed()),
            warnings=(*self.forwards.warnings, *self._strays),
        )

    def _follow(self, config: Config, uplink: Uplink) -> None:
        ports = config.nat.ports
        reserved = local_ports(ports.first, ports.last)
        helped = self.helping.ports(uplink.internal)
        policy = policy_of(config, uplink, *reserved, self.forwards.policy(), helper_ports=helped)
        ended = 0
        if policy != self._policy:
            ended = self._table.configure(policy)
            self._policy = policy
        if uplink != self._uplink:
            self._rules_in_place = False
            self._tell_change(config, uplink, ended)
        self._uplink = uplink
        self._tell_strays(uplink)
        nat = config.nat
        self._set(
            "address", "" if uplink.external else f"no external address on {nat.external}; waiting for one"
        )
        self._set("network", "" if uplink.internal else f"no internal network on {', '.join(nat.internal)}")

    def _forward_anew(self) -> None:
        self._follow(self.config, self._uplink)
        self._hold_rules()

    def _tell_strays(self, uplink: Uplink) -> None:
        """Say once what keeps addresses or a forward from working; the status says it as long as it is so."""
        if self._strays_of == (uplink, self.forwards.entries, self.config):
            return
        self._strays_of = uplink, self.forwards.entries, self.config
        strays = [*map(str, overlaps(self.config.nat, uplink)), *self.forwards.strays(uplink)]
        for line in strays:
            if line not in self._strays:
                log.warning("%s", line)
        self._strays = strays

    def _tell_change(self, config: Config, uplink: Uplink, ended: int) -> None:
        if uplink.external != self._uplink.external:
            addresses = ", ".join(map(str, uplink.external)) or "none"
            end = f"; {ended} sessions ended with it" if ended else ""
            log.info("external address on %s: %s%s", config.nat.external, addresses, end)
        if uplink.internal != self._uplink.internal:
            log.info("internal networks: %s", ", ".join(map(str, uplink.internal)) or "none")
        address = str(uplink.external[0]) if uplink.external else ""
        if address and self._last_address not in {"", address}:
            self._address_changes += 1
        self._last_address = address or self._last_address

    def _planned(self) -> DiversionPlan:
        nat = self.config.nat
        return DiversionPlan(
            internal=tuple(nat.internal),
            external=nat.external,
            addresses=self._uplink.external,
            networks=self._uplink.internal,
            ports=(nat.ports.first, nat.ports.last),
            queues=self._queues,
            forwards=self._policy.forwards if self._policy else (),
            hairpinning=nat.hairpinning,
            exempt=tuple(nat.exempt),
        )

    def _install(self, plan: DiversionPlan) -> None:
        if self._guarded:
            guard.install(plan)
        self._diversion.install(plan)
        self._plan = plan
        self._rules_in_place = True

    def _hold_rules(self) -> None:
        if self._withdrawn:
            return
        try:
            plan = self._planned()
            if plan != self._plan:
                self._install(plan)
            else:
                self._restore(plan)
        except RULES_FAILED as error:
            self._plan = None  # so the next look installs all of them anew
            self._rules_in_place = False
            self._set("rules", f"the rules could not be installed: {error}")
        else:
            self._rules_in_place = True
            self._set("rules", "")

    def _restore(self, plan: DiversionPlan) -> None:
        gone = []
        if self._guarded and not guard.present():
            gone.append("guard")
            guard.install(plan)
        if not self._diversion.present():
            gone.append("rules")
            self._diversion.install(plan)
        if gone:
            self._restored_ever += 1
            self._restored.append(time.monotonic())
            log.warning("somebody flushed the %s; put back", " and the ".join(gone))

    def _problems_now(self) -> list[str]:
        problems = self._problems.copy()
        if not self._rules_in_place:
            problems.setdefault("rules", "the rules are not in place")
        return list(problems.values())

    def _flushed(self) -> list[str]:
        recent = sum(1 for moment in list(self._restored) if moment > time.monotonic() - RECENT_S)
        if not recent:
            return []
        times = "1 time" if recent == 1 else f"{recent} times"
        return [f"rules were flushed {times} in the last {RECENT_S // 60} minutes; put back"]

    def _set(self, about: str, problem: str) -> None:
        """Note a problem, or with "" that there is none; say so once."""
        before = self._problems.get(about, "")
        if problem:
            self._problems[about] = problem
            if problem != before:
                log.warning("degraded: %s", problem)
        elif before:
            del self._problems[about]
            log.info("mended: %s", before)
