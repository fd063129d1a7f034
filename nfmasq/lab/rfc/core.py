"""The compiled core with a clock of its own, for checks that need minutes, or a thousand packets.

What is stored: a table in memory, and the time, which only `wait` moves on, never back.
"""

import time
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from nfmasq._fastpath import Table
from nfmasq.core.policy import (
    EVERYWHERE,
    Behaviour,
    Filtering,
    Limits,
    Mapping,
    NetworkBehaviour,
    Policy,
    Uplink,
)
from nfmasq.lab.packets import read
from nfmasq.lab.rfc.way import CLIENT, EXTERNAL, Way

POLICY = Policy(uplinks=(Uplink.pool(EXTERNAL),), internal=(IPv4Network("192.168.1.0/24"),))


def behaving(
    mapping: Mapping = Mapping.ENDPOINT_INDEPENDENT, filtering: Filtering = Filtering.ADDRESS_DEPENDENT
) -> tuple[NetworkBehaviour, ...]:
    """The same behaviour for everybody and everything."""
    both = Behaviour(mapping, filtering)
    return (NetworkBehaviour(EVERYWHERE, both, both),)


class Core(Way):
    """A table under the default policy, changed as told. `said` is why the last packet was dropped, or ""."""

    def __init__(self, capacity: int = 4096, **changes: Any) -> None:
        self.table = Table(None, capacity)
        self.policy = replace(POLICY, limits=Limits(capacity))
        self.now = int(time.monotonic()) + 1
        self.said = ""
        self.configure(**changes)

    def configure(self, **changes: Any) -> int:
        """Take over this policy, with some of it changed; return how many sessions that ended.

        external: the addresses of its uplink.
        """
        if "external" in changes:
            changes["uplinks"] = (Uplink.pool(*changes.pop("external")),)
        limits = {field.name: changes.pop(field.name) for field in fields(Limits) if field.name in changes}
        self.policy = replace(self.policy, limits=replace(self.policy.limits, **limits), **changes)
        return self.table.configure(self.policy)

    def wait(self, seconds: int) -> int:
        """Let time pass; return how many sessions ended."""
        self.now += seconds
        return self.table.expire(self.now)

    def out(self, packet: bytes) -> bytes | None:
        """A packet leaves."""
        self.said, sent = self.table.translate(packet, now=self.now)
        return None if self.said else sent

    def into(self, packet: bytes, to: IPv4Address = CLIENT) -> bytes | None:
        """A packet arrives from outside."""
        before = self.table.counters().passed
        self.said, sent = self.table.translate(packet, inbound=True, now=self.now)
        if self.table.counters().passed > before:  # let by; it is still for the router after others' rules
            self.said, sent = self.table.translate(packet, inbound=True, second_look=True, now=self.now)
        return None if self.said or read(sent).destination[0] != to else sent
