"""Follows the uplink: the router's addresses and networks, and the policy the core has for them.

What is stored: the uplink as last read, the policy in force, the changes of the external address, and the
reasons an address or a forward does not work. One thread alone may call the methods that change something;
any thread may read. While an interface or address is gone, nothing passes and only the status changes.
Another address ends the old one's sessions.
"""

import logging
from collections.abc import Callable

from nfmasq._fastpath import Table
from nfmasq.config import Config, policy_of
from nfmasq.core.policy import Policy
from nfmasq.daemon.helping import Helping
from nfmasq.daemon.problems import Problems
from nfmasq.diversion import DiversionPlan
from nfmasq.machine.interfaces import Uplink
from nfmasq.machine.local_ports import local_ports
from nfmasq.machine.overlap import overlaps
from nfmasq.runtime.forwards import Entry, Forwards

log = logging.getLogger("nfmasq")


class FollowedUplink:
    """The uplink of one table.

    problems: where it reports a missing address or network. outdated: called before another uplink shows.
    """

    def __init__(
        self,
        table: Table,
        forwards: Forwards,
        helping: Helping,
        problems: Problems,
        outdated: Callable[[], None],
    ) -> None:
        self.now = Uplink(external=(), internal=())
        self.policy: Policy | None = None
        self.address_changes = 0
        self.warnings: list[str] = []
        self._table = table
        self._forwards = forwards
        self._helping = helping
        self._problems = problems
        self._outdated = outdated
        self._last_address = ""
        self._warned_of: tuple[Uplink, tuple[Entry, ...], Config] | None = None

    def follow(self, config: Config, uplink: Uplink) -> None:
        """Give the core the policy for this uplink, and log the change."""
        ended = self._configure(config, uplink)
        if uplink != self.now:
            self._outdated()
            self._log_change(config, uplink, ended)
        self.now = uplink
        self._warn(config)
        nat = config.nat
        missing = "" if uplink.external else f"no external address on {nat.external}; waiting for one"
        self._problems.report("address", missing)
        missing = "" if uplink.internal else f"no internal network on {', '.join(nat.internal)}"
        self._problems.report("network", missing)

    def plan(self, config: Config, queues: tuple[int, int]) -> DiversionPlan:
        """What the rules must divert now. queues: the first and their number."""
        nat = config.nat
        return DiversionPlan(
            internal=tuple(nat.internal),
            external=nat.external,
            addresses=self.now.external,
            networks=self.now.internal,
            ports=(nat.ports.first, nat.ports.last),
            queues=queues,
            forwards=self.policy.forwards if self.policy else (),
            hairpinning=nat.hairpinning,
            exempt=tuple(nat.exempt),
        )

    def _configure(self, config: Config, uplink: Uplink) -> int:
        """Give the core its policy if it is another; return how many sessions ended by that."""
        ports = config.nat.ports
        reserved = local_ports(ports.first, ports.last)
        helped = self._helping.ports(uplink.internal)
        policy = policy_of(config, uplink, *reserved, self._forwards.policy(), helper_ports=helped)
        if policy == self.policy:
            return 0
        ended = self._table.configure(policy)
        self.policy = policy
        return ended

    def _warn(self, config: Config) -> None:
        """Find what keeps addresses or a forward from working. The log has each line once."""
        seen = self.now, self._forwards.entries, config
        if self._warned_of == seen:
            return
        self._warned_of = seen
        warnings = [*map(str, overlaps(config.nat, self.now)), *self._forwards.problems(self.now)]
        for line in warnings:
            if line not in self.warnings:
                log.warning("%s", line)
        self.warnings = warnings

    def _log_change(self, config: Config, uplink: Uplink, ended: int) -> None:
        if uplink.external != self.now.external:
            addresses = ", ".join(map(str, uplink.external)) or "none"
            end = f"; {ended} sessions ended with it" if ended else ""
            log.info("external address on %s: %s%s", config.nat.external, addresses, end)
        if uplink.internal != self.now.internal:
            log.info("internal networks: %s", ", ".join(map(str, uplink.internal)) or "none")
        address = str(uplink.external[0]) if uplink.external else ""
        if address and self._last_address not in {"", address}:
            self.address_changes += 1
        self._last_address = address or self._last_address
