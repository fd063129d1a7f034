"""The engine between the core's own table and the two ends of sessions that a test plays.

Packets go through the table as a worker would take them, are set aside for the engine, and what it releases
is what comes out. The clocks of the core and of the engine are moved by hand: how many packets come while the
core waits for an answer must not depend on the machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from support.packets import ACK, HEADER, SYN, TCP, UDP, l4_at, tcp, udp
from support.router import CLIENT, LAN, SERVER, arrive, policy, second

from helpers.engine.here import Badly, Echo, Here
from nfmasq._fastpath import SetAside, Table
from nfmasq.core.policy import Forward, ForwardTarget, HelperPort
from nfmasq.core.rows import Expected
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.helpers.engine.thread import Engine
from nfmasq.helpers.kit.base import Endpoint, Helper, transports_of
from nfmasq.helpers.switches import Switch

PORT = 7000
NEAR_PORT = 40000
SHORT, LONG = IPv4Address("9.9.9.9"), IPv4Address("203.0.113.201")
"""External addresses that are written with less, and with more, than CLIENT's."""
ANYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True)
class Entry:
    """A helper as a daemon has set it."""

    name: str
    number: int
    helper: Helper
    switch: Switch


@dataclass
class Registry:
    """All of them."""

    entries: Mapping[str, Entry]
    expectation_s: int = 60


class Keeping(Table):
    """A table that keeps the verdicts it is given. second: its clock."""

    def __init__(self, capacity: int) -> None:
        super().__init__(None, capacity)
        self.second = second()
        self.verdicts: list[bytes | None] = []
        self.let: list[tuple[int, int]] = []
        self.corrections: dict[tuple[int, int], tuple[int, int]] = {}

    def release(self, waiting: SetAside, packet: bytes | bytearray | None) -> None:
        super().release(waiting, packet)
        self.verdicts.append(None if packet is None else bytes(packet))

    def translate(self, *what: Any, **how: Any) -> tuple[str, bytes]:
        return super().translate(*what, **{"now": self.second, **how})

    def expect(self, *what: Any, **how: Any) -> Expected:
        return super().expect(*what, **{"now": self.second, **how})

    def keep(self, *what: Any, **how: Any) -> bool:
        return super().keep(*what, **{"now": self.second, **how})

    def withdraw(self, *what: Any, **how: Any) -> bool:
        return super().withdraw(*what, **{"now": self.second, **how})

    def end(self, *what: Any, **how: Any) -> bool:
        return super().end(*what, **{"now": self.second, **how})

    def let_go(self, session: int, serial: int) -> None:
        super().let_go(session, serial)
        self.let.append((session, serial))

    def correct(self, session: int, serial: int, outbound: int, inbound: int) -> None:
        super().correct(session, serial, outbound, inbound)
        self.corrections[session, serial] = outbound, inbound


@dataclass
class Kept:
    """Keeps what did not fit."""

    packets: list[bytes] = field(default_factory=list)

    def send(self, packets: Any) -> None:
        self.packets += [bytes(packet) for packet in packets]

    def close(self) -> None:
        """Nothing to let go."""


class Bed:
    """helpers get the numbers 1, 2, …, each on its own ports. forward: CLIENT serves PORT."""

    def __init__(self, *helpers: Helper, forward: bool = False, **changes: Any) -> None:
        chosen: Sequence[Helper] = helpers if helpers else (Here(), Echo(), Badly())
        entries = {each.name: Entry(each.name, nth, each, Switch(True)) for nth, each in enumerate(chosen, 1)}
        rows = [
            HelperPort(entry.number, TCP if transport == "tcp" else UDP, port)
            for entry in entries.values()
            for transport in transports_of(entry.helper)
            for port in entry.helper.ports
        ]
        if forward:
            target = (ForwardTarget(CLIENT, (PORT, PORT)),)
            changes["forwards"] = tuple(Forward(each, None, (PORT, PORT), target) for each in (TCP, UDP))
        changes.setdefault("sessions", 4096)
        self.rules = policy(helper_ports=tuple(rows), **changes)
        self.table = Keeping(changes["sessions"])
        self.table.configure(self.rules)
        self.remainder = Kept()
        self.now = 1000.0
        self.registry = Registry(entries)
        self.engine = Engine(self.table, self.registry, remainder=self.remainder, clock=lambda: self.now)

    def replace_rules(self, **changes: Any) -> None:
        """Configure the table anew."""
        self.rules = replace(self.rules, **changes)
        self.table.configure(self.rules)

    def send(self, packet: bytes, *, inbound: bool) -> list[bytes]:
        """What comes out for a packet, by whichever way; [] when nothing does."""
        reason, sent = arrive(self.table, packet) if inbound else self.table.translate(packet)
        if reason:
            return []
        aside = self.table.next_set_aside(0)
        return [sent] if aside is None else self.answered(aside)

    def answered(self, aside: SetAside) -> list[bytes]:
        """What the engine makes of a packet that was set aside."""
        self.table.verdicts.clear()
        self.remainder.packets.clear()
        self.engine.answer(aside)
        (verdict,) = self.table.verdicts
        return [] if verdict is None else [verdict, *self.remainder.packets]


def counted(bed: Bed, helper: str = "here") -> HelperCounters:
    """A helper's counters."""
    return bed.engine.counters()[helper]


class Connection:
    """A TCP connection from CLIENT (side 0) to SERVER (side 1) or, forwarded, begun by SERVER.

    numbers: of the two SYNs.
    """

    def __init__(
        self, bed: Bed, numbers: tuple[int, int] = (7, 1007), port: int = PORT, near: int = NEAR_PORT
    ) -> None:
        self.bed = bed
        self.numbers = numbers
        self.forwarded = bool(bed.rules.forwards)
        self.near = (CLIENT, port if self.forwarded else near)
        self.far = (SERVER, near if self.forwarded else port)
        self.external: Endpoint = (bed.rules.addresses[0], port)

    def way(self, side: int) -> tuple[Endpoint, Endpoint]:
        """From where and where to a side sends."""
        return (self.near, self.far) if side == 0 else (self.far, self.external)

    def open(self) -> "Connection":
        """Shake hands."""
        first = 1 if self.forwarded else 0
        self.ask(first)
        assert self.send(1 - first, flags=SYN | ACK, at=-1, acked=0)
        assert self.send(first)
        return self

    def ask(self, first: int = 0) -> None:
        """Send the first SYN."""
        (syn,) = self.send(first, flags=SYN, at=-1, acked=None)
        if not first:
            self.external = (self.bed.rules.addresses[0], int.from_bytes(syn[l4_at(syn) : l4_at(syn) + 2]))

    def send(
        self,
        side: int,
        payload: bytes = b"",
        *,
        at: int = 0,
        acked: int | None = 0,
        flags: int = ACK,
        options: bytes = b"",
        urgent: int = 0,
    ) -> list[bytes]:
        """What comes out for a segment; at and acked count from the bytes behind the SYNs."""
        made = self.made(side, payload, at=at, acked=acked, flags=flags, options=options, urgent=urgent)
        return self.bed.send(made, inbound=side == 1)

    def made(
        self,
        side: int,
        payload: bytes = b"",
        *,
        at: int = 0,
        acked: int | None = 0,
        flags: int = ACK,
        options: bytes = b"",
        urgent: int = 0,
    ) -> bytes:
        """A segment as its sender makes it."""
        packet = bytearray(
            tcp(
                *self.way(side)[0],
                *self.way(side)[1],
                flags,
                payload=payload,
                options=options,
                sequence=(self.numbers[side] + 1 + at) % (1 << 32),
                acked=0 if acked is None else (self.numbers[1 - side] + 1 + acked) % (1 << 32),
            )
        )
        packet[HEADER + 18 : HEADER + 20] = urgent.to_bytes(2)
        return bytes(packet)

    def say(self, side: int, payload: bytes, at: int = 0, **how: Any) -> bytes:
        """The bytes that come out for a segment with these."""
        return b"".join(payload_of(packet) for packet in self.send(side, payload, at=at, **how))

    def heard(self, side: int, packet: bytes) -> int:
        """The position a packet from this side has for its receiver."""
        return signed(numbers_of(packet)[0] - self.numbers[side] - 1)

    def told(self, side: int, packet: bytes) -> int:
        """The position a packet from this side acknowledges."""
        return signed(numbers_of(packet)[1] - self.numbers[1 - side] - 1)


def signed(number: int) -> int:
    """A difference of sequence numbers."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def body_at(packet: bytes) -> int:
    """Where a TCP segment's payload begins."""
    at = l4_at(packet)
    return at + (packet[at + 12] >> 4) * 4


def payload_of(packet: bytes) -> bytes:
    """A TCP segment's payload."""
    return packet[body_at(packet) :]


def numbers_of(packet: bytes) -> tuple[int, int]:
    """A TCP segment's sequence and acknowledgment numbers."""
    at = l4_at(packet)
    return int.from_bytes(packet[at + 4 : at + 8]), int.from_bytes(packet[at + 8 : at + 12])


def flags_of(packet: bytes) -> int:
    """A TCP segment's flags."""
    return packet[l4_at(packet) + 13]


def datagram(bed: Bed, payload: bytes, *, port: int = PORT) -> list[bytes]:
    """What comes out for a datagram from CLIENT to SERVER."""
    return bed.send(udp(CLIENT, NEAR_PORT, SERVER, port, payload), inbound=False)


__all__ = ["CLIENT", "LAN", "SERVER"]
