"""Two TCP ends with a NAT between them, and on both sides of it a network that does as a test says.

What is stored: what is on its way, in a list for each direction before the NAT and another behind it; how
far each end's numbers have been seen by the NAT; and the NAT itself, a bare table.
"""

from dataclasses import dataclass
from typing import NamedTuple

from support.packets import ACK, SYN, l4_at, read
from support.router import CLIENT, EXTERNAL, SERVER, Router

from hardening.segments import fields, segment
from hardening.tcp_end import MOST_SCALE, End, Segment
from nfmasq.core.policy import Timeouts

NEAR_PORT, FAR_PORT = 40000, 80
LEAST_LAG = 66000
"""Bytes an acknowledgment may lag behind whatever the windows are; as much as Linux allows."""


class Verdict(NamedTuple):
    """What became of a segment at the NAT. stale: so old that no end would miss it."""

    reason: str
    stale: bool


@dataclass
class Seen:
    """What has passed of one end: how far its data and its acknowledgments went, its largest window."""

    end: int
    acknowledged: int
    window: int = 0


class Connection:
    """near is the end behind the NAT, far the server; side 0 and 1 of every list."""

    def __init__(self, near: End, far: End, router: Router | None = None) -> None:
        self.ends = (near, far)
        self.router = router or Router()
        self.before: tuple[list[Segment], list[Segment]] = ([], [])
        self.behind: tuple[list[Segment], list[Segment]] = ([], [])
        self.external_port = 0
        self._seen = (Seen(near.initial, far.initial), Seen(far.initial, near.initial))

    def send(self, side: int, sent: Segment | None) -> bool:
        """Put a segment on its way; None is nothing to send."""
        if sent is not None:
            self.before[side].append(sent)
        return sent is not None

    def packet(self, side: int, sent: Segment) -> bytes:
        """The segment as it arrives at the NAT."""
        ends = (
            (CLIENT, NEAR_PORT, SERVER, FAR_PORT)
            if side == 0
            else (SERVER, FAR_PORT, EXTERNAL, self.external_port)
        )
        return segment(
            *ends,
            sent.flags,
            sequence=sent.sequence,
            acknowledged=sent.acknowledged,
            window=sent.window,
            payload=bytes(sent.length),
            options=sent.options,
        )

    def judge(self, side: int, sent: Segment) -> Verdict:
        """Hand one segment to the NAT; what it lets through must be what was sent."""
        packet = self.packet(side, sent)
        stale = self._is_stale(side, sent)
        reason, passed = self.router.try_out(packet) if side == 0 else self.router.try_in(packet)
        if not reason:
            assert fields(passed) == fields(packet)
            assert l4_at(passed) == l4_at(packet)
            if side == 0:
                self.external_port = read(passed).source_port
            self._note(side, sent)
        return Verdict(reason, stale)

    def carry(self, side: int, at: int = 0) -> Verdict:
        """Let one segment of those before the NAT come to it, and on if it passes."""
        sent = self.before[side].pop(at)
        verdict = self.judge(side, sent)
        if not verdict.reason:
            self.behind[side].append(sent)
        return verdict

    def deliver(self, side: int, at: int = 0) -> None:
        """Let one segment of those behind the NAT come to the other end, which may answer."""
        sent = self.behind[side].pop(at)
        for answer in self.ends[1 - side].receive(sent):
            self.send(1 - side, answer)

    def settle(self, most: int = 200) -> None:
        """Carry and deliver all in order until nothing is on its way. Every segment must pass."""
        for _ in range(most):
            busy = [side for side in (0, 1) if self.before[side] or self.behind[side]]
            if not busy:
                return
            for side in busy:
                if self.before[side]:
                    assert self.carry(side).reason == ""
                if self.behind[side]:
                    self.deliver(side)
        raise AssertionError("the ends never fall silent")

    @property
    def state(self) -> str:
        """The NAT's state of the connection."""
        return self.router.row().state

    def _note(self, side: int, sent: Segment) -> None:
        own = self._seen[side]
        own.end = max(own.end, sent.end)
        if sent.flags & ACK:
            own.acknowledged = max(own.acknowledged, sent.acknowledged)
        end = self.ends[side]
        shift = min(end.shift or 0, MOST_SCALE) if end.scaled and not sent.flags & SYN else 0
        own.window = max(own.window, sent.window << shift)

    def _is_stale(self, side: int, sent: Segment) -> bool:
        """Older than all that the other end can still be waiting for: it was held up on its way."""
        own, other = self._seen[side], self._seen[1 - side]
        old_data = sent.end < own.end - other.window
        old_answer = bool(sent.flags & ACK) and sent.acknowledged < other.end - max(own.window, LEAST_LAG)
        return old_data or old_answer


def established(near: End | None = None, far: End | None = None, router: Router | None = None) -> Connection:
    """A connection whose handshake is over."""
    connection = Connection(near or End(1000), far or End(5000), router)
    connection.send(0, connection.ends[0].open())
    connection.settle()
    assert all(end.is_open for end in connection.ends)
    return connection


def exchanging() -> Connection:
    """A connection on which both have said something, and then nothing for a while."""
    connection = established(End(1000), End((1 << 32) - 500))
    for side in (0, 1):
        connection.send(side, connection.ends[side].write(1000))
        connection.settle()
    connection.router.wait(100)
    return connection


def goes_on(connection: Connection) -> None:
    """Both ends still speak, and the NAT lets them."""
    for side in (0, 1):
        assert connection.send(side, connection.ends[side].write(1000))
        connection.settle()
        assert connection.send(1 - side, connection.ends[1 - side].read(1 << 30))
        connection.settle()
    assert connection.state == "established"
    assert connection.router.row().expires_s == Timeouts().tcp_established
