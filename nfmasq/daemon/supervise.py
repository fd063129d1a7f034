"""Keeps the core and the kernel as the configuration and the machine's surroundings say.

What is stored: the configuration in force, and the parts: all forwards, the helpers, the uplink with the
policy of the core, the rules with their guard, and the problems. One thread alone may call the methods that
change something (the daemon's hand); any thread may ask for `situation`. `begin` starts it, `withdraw` ends
it and removes the rules.

`reconcile` compares the real state with the wanted one and corrects the difference. So a missed event does no
harm: a doorbell only makes it run sooner than the next second. Policy first, then the guard, then the rules:
whatever fails between them, packets are dropped rather than leave with an internal address.
"""

import subprocess
from ipaddress import IPv4Network
from typing import Any

from nfmasq._fastpath import Table
from nfmasq.config import Config
from nfmasq.control.running import Situation
from nfmasq.daemon.helping import Helping
from nfmasq.daemon.problems import Problems
from nfmasq.daemon.rules import Rules
from nfmasq.daemon.uplink import FollowedUplink
from nfmasq.diversion import Diversion
from nfmasq.machine.interfaces import UplinkMissing, read_uplink
from nfmasq.runtime.forwards import Entry, Forwards
from nfmasq.runtime.helpers import Entry as HelperEntry


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
        self.rules = Rules(diversion)
        self._problems = Problems()
        self.uplink = FollowedUplink(table, self.forwards, helping, self._problems, self.rules.outdated)
        self._queues = queues

    def begin(self) -> None:
        """Set up the policy, the guard and the rules. Raises UplinkMissing or one of RULES_FAILED."""
        self.uplink.follow(self.config, read_uplink(self.config.nat))
        self.rules.begin(self.uplink.plan(self.config, self._queues))

    def adopt(self, config: Config) -> list[str]:
        """Adopt another configuration; return the warnings about forwards that were added.

        Raises UplinkMissing, and then the old one stays.
        """
        uplink = read_uplink(config.nat)
        warnings = self.forwards.adopt(config)
        self.helping.adopt(config)
        self.config = config
        self.rules.outdated()
        self.uplink.follow(config, uplink)
        self._keep_rules()
        return warnings

    def add_forward(self, table: dict[str, Any], persist: bool) -> Entry:
        """Add a forward, in force when this returns. Raises as `Forwards.add` does."""
        entry, changed = self.forwards.add(table, persist, self.uplink.now.external)
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
        self.uplink.follow(self.config, self.uplink.now)
        return entry

    def reconcile(self) -> None:
        """Look at everything once and correct the difference."""
        try:
            uplink = read_uplink(self.config.nat)
        except (UplinkMissing, OSError, subprocess.SubprocessError) as error:
            self._problems.report("uplink", str(error))
            uplink = self.uplink.now
        else:
            self._problems.report("uplink", "")
        self.uplink.follow(self.config, uplink)
        self._keep_rules()

    def withdraw(self, keep_guard: bool = False) -> None:
        """Remove the rules for good, then the guard unless it shall stay. A failure is logged."""
        self.rules.withdraw(keep_guard)

    def situation(self) -> Situation:
        """The surroundings at this moment."""
        problems = self._problems.now()
        if not self.rules.in_place:
            problems.setdefault("rules", "the rules are not in place")
        return Situation(
            external_interface=self.config.nat.external,
            external_addresses=self.uplink.now.external,
            internal_interfaces=tuple(self.config.nat.internal),
            internal_networks=self.uplink.now.internal,
            diversion=self.rules.diversion.name,
            rules_in_place=self.rules.in_place,
            rules_reinstalled=self.rules.reinstalled,
            address_changes=self.uplink.address_changes,
            problems=(*problems.values(), *self.rules.flushed()),
            warnings=(*self.forwards.warnings, *self.uplink.warnings),
        )

    def _forward_anew(self) -> None:
        self.uplink.follow(self.config, self.uplink.now)
        self._keep_rules()

    def _keep_rules(self) -> None:
        if not self.rules.withdrawn:
            self._problems.report("rules", self.rules.keep(self.uplink.plan(self.config, self._queues)))
