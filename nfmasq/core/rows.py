"""The rows that the core makes of its table and of its counters."""

from ipaddress import IPv4Address
from typing import NamedTuple

Endpoint = tuple[IPv4Address, int]
"""An address and a port, the identifier of an ICMP query, or a key; 0 where a protocol has none."""


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
    """An ICMP destination unreachable, or a TCP RST, to be sent: a packet was refused.

    source: the external address it is sent from, or None: the router's own towards that internal host.
    code: of ICMP type 3, or `reasons.Icmp.RESET`. quote: the refused packet's IP header and what follows it,
    eight bytes at least, for an RST the twenty of TCP's header.
    """

    destination: IPv4Address
    source: IPv4Address | None
    code: int
    quote: bytes


class Helped(NamedTuple):
    """A session whose helper is to read a packet.

    session, serial: the session, for ever; helper: its number.
    """

    session: int
    serial: int
    helper: int
    internal: Endpoint
    external: Endpoint
    remote: Endpoint
    inside_began: bool


class SetAside(NamedTuple):
    """A packet of a session that has a helper, set aside for it.

    session, serial, helper: as in Helped. packet: the whole IP packet, translated already; its transport
    checksum may be wrong. token: the packet's place in its queue, and the mark its verdict sets. receiver: of
    a hairpinned packet, the session by which it comes in after it has gone out by this one. Its source is
    translated after its verdict.
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
    token: tuple[int, int, int | None]
    receiver: Helped | None = None


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
    created, expired, evicted: sessions, [protocol].
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
    evicted: tuple[int, ...]


class Gauges(NamedTuple):
    """What stands now, each [protocol]; memory in bytes: records touched so far, and indexes.

    borrowing: mappings at the port of another one.
    """

    sessions: tuple[int, ...]
    mappings: tuple[int, ...]
    ports_in_use: tuple[int, ...]
    ports_capacity: tuple[int, ...]
    memory: int
    borrowing: int


class Fill(NamedTuple):
    """How full something is: the ports of an external address that have been asked for, or the table.

    address: None: the table. transport: an index of `policy.TRANSPORTS`, or -1. capacity: without the ports
    of local sockets and forwards.
    """

    address: IPv4Address | None
    transport: int
    used: int
    capacity: int


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
