"""The rows that the core makes of its table and of its counters."""

from ipaddress import IPv4Address
from typing import NamedTuple

Endpoint = tuple[IPv4Address, int]
"""An address and a port, or the identifier of an ICMP query, or 0 where a protocol has neither."""


class SessionRow(NamedTuple):
    """One session as it stands. `number` is where to go on: pass it as `after`.

    state: of TCP, or "expected" of an expectation that no packet has fulfilled. helper: its number, or 0.
    """

    number: int
    protocol: int
    internal: Endpoint
    external: Endpoint
    remote: Endpoint
    state: str
    packets_out: int
    packets_in: int
    bytes_out: int
    bytes_in: int
    age_s: int
    expires_s: int
    helper: int = 0


class MappingRow(NamedTuple):
    """One mapping as it stands: an internal endpoint and the external endpoint it appears as."""

    number: int
    protocol: int
    internal: Endpoint
    external: Endpoint
    sessions: int
    age_s: int


class Refusal(NamedTuple):
    """An ICMP destination unreachable to be sent: a packet was refused.

    source: the external address it is sent from, or None: the router's own towards that internal host.
    code: of ICMP type 3. quote: the refused packet's IP header and what follows it, eight bytes at least.
    """

    destination: IPv4Address
    source: IPv4Address | None
    code: int
    quote: bytes


class SetAside(NamedTuple):
    """A packet of a session that has a helper, set aside for it.

    session, serial: the session, for ever; helper: its number. packet: the whole IP packet, translated
    already; its transport checksum may be wrong. token: the packet's place in its queue.
    """

    session: int
    serial: int
    helper: int
    outbound: bool
    internal: Endpoint
    external: Endpoint
    remote: Endpoint
    inside_began: bool
    packet: bytes
    token: tuple[int, int]


class ExpectationRefused(Exception):
    """The table cannot hold an expectation; the text is the reason, one of the helpers' REFUSALS."""


class Expected(NamedTuple):
    """An expectation, and the external endpoint that its packet may arrive at."""

    session: int
    serial: int
    external: Endpoint


class Counters(NamedTuple):
    """Totals since the start, plain integers. Protocols are indexed as `policy.TRANSPORTS`.

    packets, bytes: [direction][protocol], direction 0 outbound, 1 inbound, 2 hairpin.
    dropped: one a reason, indexed as the core's REASONS.
    created, expired: sessions, [protocol].
    passed: packets let go untouched because they are the router's own.
    allocation_failures: [protocol], new sessions refused for want of an external port.
    """

    packets: tuple[tuple[int, ...], ...]
    bytes: tuple[tuple[int, ...], ...]
    dropped: tuple[int, ...]
    created: tuple[int, ...]
    expired: tuple[int, ...]
    passed: int
    allocation_failures: tuple[int, ...]


class Gauges(NamedTuple):
    """What stands now, each [protocol]; memory in bytes: records touched so far, and indexes."""

    sessions: tuple[int, ...]
    mappings: tuple[int, ...]
    ports_in_use: tuple[int, ...]
    ports_capacity: tuple[int, ...]
    memory: int


class TableLock(NamedTuple):
    """What workers spent at the table's lock since it was first watched: batches, and nanoseconds of all
    workers together that they waited for it and were inside. A step of a policy's taking over is a batch.

    longest_ns: that one was inside.
    """

    batches: int
    waited_ns: int
    held_ns: int
    longest_ns: int


class QueueCounters(NamedTuple):
    """One worker's dealings with the kernel. lost: gaps in the packet ids; overruns: ENOBUFS seen;
    refused: rejected verdicts; beats: rounds of its loop, for a watchdog."""

    packets: int
    batches: int
    lost: int
    overruns: int
    refused: int
    beats: int
