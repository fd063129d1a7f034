"""Keeps the core's policy as the configuration and the surroundings ask for.

What is stored: the policy in force and what it was made of, the changes of external addresses, why an address
or a forward does not work, and beside a default host what the router itself takes. One thread alone may call
the methods that change something; any thread may read. While an uplink or its address is gone, its sessions
wait for it. Another address of that uplink ends them.
"""

import logging
from ipaddress import IPv4Address

from nfmasq._fastpath import Table
from nfmasq.config import Config, policy_of
from nfmasq.core.limits import MOST_OWN
from nfmasq.core.policy import ALL_PORTS, Forward, Own, Policy
from nfmasq.daemon.helping import Helping
from nfmasq.machine.local_ports import local_ports
from nfmasq.machine.overlap import overlaps
from nfmasq.machine.own_followed import OwnFollowed
from nfmasq.machine.surroundings import Surroundings
from nfmasq.runtime.forwards import Entry, Forwards

LISTED = 16
"""So many networks or addresses a line of the log names."""
MOST_SPANS = 16
"""Spans of ports in use that are not handed out any more: scattered ports become fewer and wider spans."""

log = logging.getLogger("nfmasq")


class FollowedPolicy:
    """The policy of one table."""

    def __init__(self, table: Table, forwards: Forwards, helping: Helping) -> None:
        self.now: Policy | None = None
        self.address_changes = 0
        self.warnings: list[str] = []
        self._table = table
        self._forwards = forwards
        self._helping = helping
        self._made_of: tuple[object, ...] = ()
        self._own: OwnFollowed | None = None
        self._logged: Surroundings | None = None
        self._last_addresses: dict[str, IPv4Address] = {}
        self._warned_of: tuple[Surroundings, tuple[Entry, ...], Config] | None = None

    def follow(self, config: Config, surroundings: Surroundings, others_lead: bool = False) -> None:
        """Give the core its policy if it is another, and log what changed.

        others_lead: rules of others lead packets inside, and ours queue behind them what they left.
        """
        ended = self._configure(config, surroundings, others_lead)
        if surroundings is not self._logged:
            self._log_change(surroundings, ended)
            self._logged = surroundings
        self._warn(config, surroundings)

    def _configure(self, config: Config, surroundings: Surroundings, others_lead: bool) -> int:
        """Return how many sessions ended by another policy."""
        ports = (*config.nat.low_ports, *config.nat.ports)
        held = local_ports(min(ports).first, max(ports).last)
        tcp, udp = (
            frozenset(port for port in each if any(first <= port <= last for first, last in ports))
            for each in held
        )
        forwards, helped = self._forwards.policy(), self._helping.ports(surroundings.internal)
        own = self._taken(forwards)
        made_of = config, surroundings, tcp, udp, forwards, helped, own, others_lead
        if made_of == self._made_of:
            return 0
        policy = policy_of(
            config,
            surroundings,
            tcp,
            udp,
            forwards,
            helper_ports=helped,
            own=own,
            others_lead=others_lead,
        )
        ended = 0 if policy == self.now else self._table.configure(policy)
        self.now, self._made_of = policy, made_of
        return ended

    def _taken(self, forwards: tuple[Forward, ...]) -> tuple[Own, ...]:
        """What the router itself takes. Only a default host would get it otherwise."""
        if not any(forward.ports == ALL_PORTS for forward in forwards):
            self.close()
            return ()
        if self._own is None:
            self._own = OwnFollowed()
        return tuple(Own(each.protocol, each.remote) for each in self._own.taken(MOST_OWN))

    def close(self) -> None:
        """Follow no more what the router takes, until a default host asks for it."""
        if self._own is not None:
            self._own.close()
        self._own = None

    def ports_beyond(self) -> tuple[tuple[int, int], ...]:
        """Spans that hold the ports in use that are not handed out any more, few enough for rules."""
        spans = self._table.ports_beyond()
        while len(spans) > MOST_SPANS:
            at = min(range(1, len(spans)), key=lambda each: spans[each][0] - spans[each - 1][1])
            spans[at - 1 : at + 1] = [(spans[at - 1][0], spans[at][1])]
        return tuple(spans)

    def _warn(self, config: Config, surroundings: Surroundings) -> None:
        """Find what keeps addresses or a forward from working. The log has each line once."""
        seen = surroundings, self._forwards.entries, config
        if self._warned_of == seen:
            return
        self._warned_of = seen
        warnings = [
            *surroundings.warnings,
            *map(str, overlaps(config.nat, surroundings)),
            *self._forwards.problems(surroundings),
        ]
        for line in warnings:
            if line not in self.warnings:
                log.warning("%s", line)
        self.warnings = warnings

    def _log_change(self, now: Surroundings, ended: int) -> None:
        before = self._logged
        known = {outside.name: outside.pooled for outside in before.outsides} if before else {}
        for outside in now.outsides:
            if outside.pooled != known.get(outside.name, ()):
                log.info("external address on %s: %s", outside.name, _listed(outside.pooled))
            last = self._last_addresses.get(outside.name)
            if outside.pooled:
                self.address_changes += last not in {None, outside.pooled[0]}
                self._last_addresses[outside.name] = outside.pooled[0]
        if ended:
            log.info("%d sessions ended with the addresses they had", ended)
        if before is None or now.internal != before.internal:
            log.info("internal networks: %s", _listed(now.internal))


def _listed(things: tuple[object, ...]) -> str:
    more = f" and {len(things) - LISTED} more" if len(things) > LISTED else ""
    return ", ".join(map(str, things[:LISTED])) + more or "none"
