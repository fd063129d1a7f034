"""The router of these tests: a table with a policy and a clock of its own, and the parts its packets play.

The clock is seconds of CLOCK_MONOTONIC as the core counts them, moved on by hand; the table never sees it run
backwards.
"""

import time
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from nfmasq._fastpath import SessionRow, Table
from nfmasq.core.policy import EVERYWHERE, Behaviour, Limits, NetworkBehaviour, Policy, Timeouts, Uplink

LAN = IPv4Network("192.168.1.0/24")
CLIENT = IPv4Address("192.168.1.10")
OTHER_CLIENT = IPv4Address("192.168.1.20")
INNER_ROUTER = IPv4Address("192.168.1.254")
EXTERNAL = IPv4Address("203.0.113.1")
OTHER_EXTERNAL = IPv4Address("203.0.113.2")
SERVER = IPv4Address("198.51.100.1")
OTHER_SERVER = IPv4Address("198.51.100.2")
HOP = IPv4Address("198.51.100.99")
"""A router on the way to the servers."""

ALL = 1 << 20
"""As a limit of one host: no share holds it back."""

POLICY = Policy(
    uplinks=(Uplink.pool(EXTERNAL),),
    internal=(LAN,),
    limits=Limits(sessions=64, sessions_per_host=ALL, ports_per_host=ALL),
    timeouts=Timeouts(udp_dns=Timeouts().udp),
    share_ports=False,
)
"""One host may have everything, no port is shared, and port 53 has the timer of every other."""

SHARES = {"sessions_per_host": 0, "ports_per_host": 0, "share_ports": True, "timeouts": Timeouts()}
"""Changes that make it the default policy again."""

CLOCK_MONOTONIC_COARSE = 6
"""Of linux/time.h; Python's time lacks it."""


def policy(**changes: Any) -> Policy:
    """The policy of these tests, with some of it changed.

    filtering, filtering_tcp, filtering_udp, and likewise mapping: the behaviour of all or of one protocol.
    external, device, mss: the addresses of the only uplink, all handed out; its interface's index; its MSS.
    Limits go by their own names: sessions, ports_per_host …
    """
    if changes.keys() & {"external", "device", "mss"}:
        addresses = changes.pop("external", (EXTERNAL,))
        index, mss = changes.pop("device", 0), changes.pop("mss", 0)
        changes["uplinks"] = (Uplink.pool(*addresses, index=index, mss=mss),)
    limits = {field.name: changes.pop(field.name) for field in fields(Limits) if field.name in changes}
    tcp, udp = _take(changes, "tcp"), _take(changes, "udp")
    changes.pop("mapping", None)
    changes.pop("filtering", None)
    changes.setdefault("behaviours", (NetworkBehaviour(EVERYWHERE, tcp, udp),))
    return replace(POLICY, limits=replace(POLICY.limits, **limits), **changes)


def _take(changes: dict[str, Any], protocol: str) -> Behaviour:
    """The behaviour of one protocol, taken out of the changes."""
    asked = {}
    for name in ("mapping", "filtering"):
        general = changes.get(name)
        own = changes.pop(f"{name}_{protocol}", general)
        if own is not None:
            asked[name] = own
    return Behaviour(**asked)


def second() -> int:
    """The core's clock."""
    return int(time.clock_gettime(CLOCK_MONOTONIC_COARSE))


def arrive(table: Table, packet: bytes, **how: Any) -> tuple[str, bytes]:
    """What becomes of a packet from outside. One that is let by comes again, on its way into the router."""
    before = table.counters().passed
    first = table.translate(packet, inbound=True, **how)
    if table.counters().passed == before:
        return first
    return table.translate(packet, inbound=True, second_look=True, **how)


class Router:
    """A table under a policy. `now` is its clock; `wait` moves it on and ends what is due."""

    def __init__(self, rules: Policy = POLICY, capacity: int = 64, path: str | None = None) -> None:
        self.table = Table(path, capacity)
        self.table.configure(rules)
        self.now = second()

    def wait(self, seconds: int) -> int:
        """Let time pass; return how many sessions ended."""
        self.now += seconds
        return self.table.expire(self.now)

    def try_out(self, packet: bytes, **how: Any) -> tuple[str, bytes]:
        """A packet leaves: the reason it is dropped for or "", and what is sent on."""
        return self.table.translate(packet, now=self.now, **how)

    def try_in(self, packet: bytes, **how: Any) -> tuple[str, bytes]:
        """As try_out, for a packet that arrives from outside and that no program but ours waits for."""
        return arrive(self.table, packet, now=self.now, **how)

    def out(self, packet: bytes, **how: Any) -> bytes:
        """A packet that must be let out."""
        reason, sent = self.try_out(packet, **how)
        assert reason == ""
        return sent

    def into(self, packet: bytes, **how: Any) -> bytes:
        """A packet that must be let in."""
        reason, sent = self.try_in(packet, **how)
        assert reason == ""
        return sent

    def passed(self, packet: bytes, *, inbound: bool, **how: Any) -> bool:
        """Is this packet let go untouched, as the router's own?"""
        before = self.table.counters().passed
        reason, sent = self.table.translate(packet, inbound=inbound, now=self.now, **how)
        assert (self.table.counters().passed == before + 1) == (reason == "" and sent == packet)
        return reason == "" and sent == packet

    def rows(self) -> list[SessionRow]:
        """All sessions, `age_s` and `expires_s` counted from this router's clock."""
        while True:
            before = second()
            rows = self.table.sessions(limit=1 << 17)
            if second() == before:
                break
        ahead = self.now - before
        return [
            row._replace(age_s=(row.age_s + ahead) & 0xFFFFFFFF, expires_s=row.expires_s - ahead)
            for row in rows
        ]

    def row(self) -> SessionRow:
        """The only session."""
        (only,) = self.rows()
        return only
