"""The compiled core: the way of every packet, and the table of sessions.

Addresses are `ipaddress.IPv4Address` at this edge and network-order 32-bit words inside; ports and ICMP
query identifiers are host-order integers; times are whole seconds.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address

from typing_extensions import disjoint_base

from nfmasq.core.policy import Policy
from nfmasq.core.rows import Counters as Counters
from nfmasq.core.rows import Expected as Expected
from nfmasq.core.rows import Fill as Fill
from nfmasq.core.rows import Gauges as Gauges
from nfmasq.core.rows import MappingRow as MappingRow
from nfmasq.core.rows import QueueCounters as QueueCounters
from nfmasq.core.rows import Refusal as Refusal
from nfmasq.core.rows import SessionRow as SessionRow
from nfmasq.core.rows import SetAside as SetAside
from nfmasq.core.rows import TableLock as TableLock

__all__ = [
    "REASONS",
    "TCP_STATES",
    "Counters",
    "Expected",
    "Fill",
    "Gauges",
    "MappingRow",
    "Queue",
    "QueueCounters",
    "Refusal",
    "SessionRow",
    "SetAside",
    "Table",
    "TableLock",
    "checksum",
    "finish",
    "layout",
    "limits",
]

REASONS: tuple[str, ...]
"""The name of every reason a packet can be dropped for, in the order of its counter."""

TCP_STATES: tuple[str, ...]
"""The names of the TCP states, in the order of their numbers; the first, "-", is for other protocols."""

class Table:
    """The mappings and sessions of one router, shared by all its workers.

    path: the arena's file (made when missing), or None for memory of this process alone.
    capacity: the most sessions it can ever hold; what is found at `path` is not taken over if it has
    another layout or is of another boot, and of more sessions the first ones are.
    memory: bytes that this process may still take, None for any number; sessions that need more are given up.
    saved: the copy that an earlier daemon saved; taken over when the arena has no sessions of this boot.
    Raises NotOurs when something else is at `path`, BlockingIOError when another daemon holds the file, and
    OSError when it cannot be made or opened, or when there is no memory or room for it.
    """

    def __init__(
        self, path: str | None, capacity: int, memory: int | None = None, saved: str | None = None
    ) -> None: ...
    @property
    def recovered(self) -> int:
        """Sessions that the file had at the start."""
    @property
    def warning(self) -> str:
        """Which sessions of the file were given up and why, "" when none were."""
    def reserve(self, memory: int | None = None) -> str:
        """Reserve room in the file ahead of the sessions; return why there is too little, or "".

        memory: bytes that this process may still take. A session that finds no room is refused, by
        sessions_full. Called when `room_fd` is readable; may take milliseconds.
        """
    def save(self, path: str) -> int:
        """Save the sessions for a start after a reboot; return how many. Raises OSError, NotOurs among them.

        Called when the workers have ended.
        """
    @property
    def room(self) -> int:
        """Sessions that may be in the table now: those there is room reserved for."""
    @property
    def shortage(self) -> str:
        """Why the last `reserve`, or the start, got too little room, or ""."""
    @property
    def room_fd(self) -> int:
        """An eventfd, readable when it is time to `reserve`; -1 when closed."""
    def configure(self, policy: Policy) -> int:
        """Take over a policy between two batches; return how many sessions ended with a lost address.

        What every record must be looked at for is done in steps, and workers come in between.
        """
    def ports_beyond(self) -> list[tuple[int, int]]:
        """Spans that hold every TCP and UDP port in use that the policy hands out no more.

        They stay as they were when the policy came, until the last of these ports is free.
        """
    def counters(self) -> Counters: ...
    def gauges(self) -> Gauges: ...
    def watch_lock(self) -> None:
        """From now on measure what workers spend at the table's lock: two looks at the clock a batch."""
    def lock_times(self) -> TableLock:
        """What was measured so far."""
    def next_set_aside(self, timeout_s: float) -> SetAside | None:
        """The next packet that was set aside for a helper; None when none came in time."""
    def release(self, waiting: SetAside, packet: bytes | bytearray | None) -> None:
        """The verdict on a packet that was set aside, once: send these bytes on, or with None drop it.

        From any thread."""
    def let_go(self, session: int, serial: int) -> None:
        """The session's packets are set aside no more."""
    def expect(
        self,
        parent: int,
        serial: int,
        protocol: int,
        internal: tuple[IPv4Address, int],
        remote: IPv4Address | None,
        remote_port: int,
        seconds: int,
        external_port: int = 0,
        helper: int = 0,
        now: int | None = None,
    ) -> Expected:
        """Announce a session to an internal endpoint, from a remote address (None: any) and port (0: any).

        It stands for so many seconds, for one arrival. external_port: the one it must have, 0: any. It may
        be one that the same internal endpoint has already. helper: the number of the helper that reads the
        session, 0: none. Of GRE the internal port is a key. remote_port is INWARD for packets that come in
        with it, or OUTWARD for packets that go out with it.
        Raises ExpectationRefused when the parent has ended, or for want of room or of that port,
        ValueError for a key without a remote host or a direction.
        """
    def find_row(
        self,
        parent: int,
        serial: int,
        protocol: int,
        internal: tuple[IPv4Address, int],
        remote: IPv4Address | None,
        remote_port: int,
        count: int,
        now: int | None = None,
    ) -> int:
        """The first of `count` external ports in a row, for this internal port and those after it; 0: none.

        They are free; an internal endpoint with a mapping keeps its own, whatever follows. Of two free ports
        the first one is even. Nothing is taken: expect each of them. All else is as in `expect`.
        """
    def withdraw(self, session: int, serial: int, now: int | None = None, told: bool = True) -> bool:
        """End an expectation that no packet has fulfilled; False when there is none of this name.

        told: somebody may have heard of its port, which goes into hold-down then if its like do.
        """
    def end(self, session: int, serial: int, now: int | None = None) -> bool:
        """End an expectation, or a session that began by one; False when there is none of this name."""
    def is_expected(self, session: int, serial: int) -> bool:
        """Is it an expectation that waits for its session? False when it has begun, or ended."""
    def seen(self, session: int, serial: int) -> SessionRow | None:
        """The session as it stands, None when it has ended."""
    def correct(self, session: int, serial: int, outbound: int, inbound: int) -> None:
        """Tell by how many bytes longer (shorter: negative) what either side sent has become for the other.

        Kept with the session, over a restart too. Sequence windows and ICMP errors are checked by it.
        Once the session is let go, its segments are corrected by it, and they alone.
        """
    def remember(self, session: int, serial: int, number: int) -> None:
        """Keep a number (1 to 2**31 - 1) with a UDP session, over a restart too: a helper's."""
    def remembered(self, session: int, serial: int) -> int:
        """The number kept with a UDP session; 0: there is none, or the session has ended."""
    def keep(self, session: int, serial: int, seconds: int, now: int | None = None) -> bool:
        """Let a session live for so many seconds at least; False when it has ended."""
    def sessions(
        self,
        after: int = 0,
        limit: int = 1000,
        host: IPv4Address | None = None,
        port: int = 0,
        protocol: int = -1,
    ) -> list[SessionRow]:
        """Up to `limit` sessions with a number above `after`, in order of their numbers.

        host: only where it is the internal, external or remote address; port: likewise the port;
        protocol: only this IP protocol number. Fewer rows than `limit`: that was all.
        """
    def mappings(
        self,
        after: int = 0,
        limit: int = 1000,
        host: IPv4Address | None = None,
        port: int = 0,
        protocol: int = -1,
    ) -> list[MappingRow]:
        """As `sessions`, for mappings."""
    def hosts(self) -> Mapping[IPv4Address, tuple[int, int]]:
        """Internal hosts with a mapping: how many sessions and how many mappings each has."""
    def fill(self) -> list[Fill]:
        """How full the table is, then the ports of each external address and transport that are in use."""
    def greediest(self, fill: Fill, known: IPv4Address | None = None) -> IPv4Address | None:
        """The internal host that has the most of it, or None. `known` stays it while it has half as many."""
    def flush(self, host: IPv4Address | None = None) -> int:
        """End the sessions of one internal host, or all; return how many."""
    def expire(self, now: int | None = None) -> int:
        """End what is due at `now` (seconds of CLOCK_MONOTONIC; default: the clock), as workers do."""
    def translate(
        self,
        packet: bytes,
        *,
        inbound: bool = False,
        hairpin: bool = False,
        mark: int = 0,
        checksum_ready: bool = True,
        gso: bool = False,
        from_router: bool = False,
        second_look: bool = False,
        untaken: bool = False,
        device: int = 0,
        came_by: int = 0,
        now: int | None = None,
    ) -> tuple[str, bytes]:
        """Take one packet the way a worker would, for tests, fuzzing and tracing.

        inbound: it came from outside (PREROUTING), else it is leaving (POSTROUTING).
        hairpin: it came from inside, to an external address (PREROUTING): the first of its two passes.
        mark: it leaves by an internal interface (POSTROUTING) with this mark: the second of two passes.
        checksum_ready: False for a packet whose L4 checksum is still the pseudo-header sum.
        gso: it is a super-packet the kernel will cut up. from_router: the router itself made it.
        second_look: with `inbound`, it was let by before and is still for the router (LOCAL_IN).
        untaken: it comes from behind the rules of others that lead inside (DNAT), which left it.
        device: index of the interface it comes in or leaves by, 0: the first uplink's.
        came_by: index of the interface that a leaving packet came in by, 0: an internal one.
        Returns ("", packet to send on) or (name of the reason it is dropped for, b"").
        """
    def pace(
        self,
        packets: Sequence[bytes],
        *,
        inbound: bool = False,
        batch: int = 64,
        checksum_ready: bool = True,
        gso: bool = False,
        now: int | None = None,
    ) -> float:
        """Translate packets in batches; nanoseconds of processor time a packet took. For benches.

        checksum_ready, gso, now: as for `translate`.
        Raises RuntimeError when the last packet of a batch is refused.
        """
    def hairpin(self, packet: bytes, *, now: int | None = None) -> tuple[str, bytes]:
        """Take a packet from inside to an external address through both its passes; as `translate`."""
    def refusals(self, now: int | None = None) -> list[Refusal]:
        """Take out the refusals that are due: ICMP errors to send, and to which hosts.

        Refusals to internal hosts are due immediately, those of unsolicited SYNs six seconds later (RFC 5382
        REQ-4): look at both, `refusal_fd` and the clock.
        """
    @property
    def refusal_fd(self) -> int:
        """An eventfd, readable when a refusal to an internal host became due; -1 when closed."""
    def close(self) -> None:
        """Write nothing more, let the file go. The sessions stay in the file."""

@disjoint_base
class Queue:
    """Netfilter queues of one worker, bound to one socket and served by `serve`.

    number, count: of the first, and how many; to "accept" there can be but one.

    mode: "translate", or for measuring: "accept" (each batch accepted unchanged in one verdict) and
    "rewrite" (each packet parsed, rewritten to what it is and sent back, without a table).
    length: the most packets that may wait in the kernel, in each.
    gso: take super-packets whole. segment_queue: the number of a queue bound with gso=False, to which those
    super-packets go that the kernel must cut up first (inbound UDP, whose checksum could not be kept right
    otherwise); no rule needs to point at it. -1: such packets are dropped. untaken_queue: which of its queues
    gets packets from behind the rules of others that lead inside (DNAT). -1: none.
    Raises PermissionError without CAP_NET_ADMIN or when another program holds a queue (the kernel answers
    both with EPERM), OSError for all else.
    """

    def __init__(
        self,
        number: int,
        table: Table | None,
        *,
        mode: str = "translate",
        count: int = 1,
        length: int = 8192,
        gso: bool = True,
        segment_queue: int = -1,
        untaken_queue: int = -1,
    ) -> None: ...
    @property
    def number(self) -> int: ...
    def serve(self) -> None:
        """Deal with packets, without the GIL, until `stop`; in one thread."""
    def stop(self) -> None:
        """Make `serve` return within a quarter of a second, all it read answered. From any thread."""
    def counters(self) -> QueueCounters: ...
    def close(self) -> None:
        """Let the queues go; the kernel drops what still waits in them."""

def finish(packet: bytearray) -> None:
    """Set an edited packet's IP length and checksum and its whole TCP or UDP checksum, in place.

    Raises ValueError when it is neither, or too short for its headers.
    """

def checksum(data: bytes | bytearray | memoryview, initial: int = 0) -> int:
    """The Internet checksum of `data` (RFC 1071), not complemented, folded to 16 bits."""

def limits() -> dict[str, int]:
    """What the core can hold: the numbers of nfmasq.core.limits, by their names."""

def layout() -> Sequence[tuple[str, int]]:
    """Names and sizes in bytes of the records of the table, for docs and benches."""
