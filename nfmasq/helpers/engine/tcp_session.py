"""One TCP session that a helper reads: from its packets to the dialogue, and back into packets.

What is stored: the sequence numbers of SYNs under way. Once both ends have agreed on theirs: a stream and an
intake for each side, and the helper's dialogue. Who writes: the engine's thread; whoever holds the engine's
lock may call `leave`. What ends the dialogue: its own wish, an error, a bound, or its helper is disabled. The
streams stay until both are settled, for the numbers must go on being corrected.

A connection begins as soon as its initiator has acknowledged an answer: a host that only sends SYNs costs no
dialogue. Bytes that come before are dropped, and TCP sends them again. A new connection between the same
endpoints begins all of it anew. Of several answers (a SYN sent again, a server that keeps no state) that one
counts.
"""

from nfmasq.helpers.engine.intake import Intake, Store
from nfmasq.helpers.engine.interfaces import Name, Reader
from nfmasq.helpers.engine.segment import ACK, FIN, RST, SYN, Segment
from nfmasq.helpers.engine.sending import as_it_came, packets, reset
from nfmasq.helpers.engine.stream import Stream
from nfmasq.helpers.kit.base import Dialogue, Session, Side

MOST_SPLICES = 2048
"""Splices of one side that are not acknowledged."""
NEAR = 1 << 16
"""Bytes behind its SYN within which a segment shows which answer the SYN had."""

Numbers = tuple[int, int]
"""The sequence numbers of both SYNs, by side."""


class TcpSession:
    """number: the helper's. is_over: no dialogue will come any more, unless the connection begins anew.

    is_open: its handshake is over.

    corrected: the shifts of both sides that the core corrects already, in bytes. partner: of a hairpinned
    session, the other side's.
    """

    __slots__ = (
        "_gave_way",
        "_intakes",
        "_offered",
        "_opening",
        "_store",
        "corrected",
        "dialogue",
        "endpoints",
        "is_open",
        "is_over",
        "name",
        "number",
        "partner",
    )

    def __init__(self, name: Name, number: int, endpoints: Session, store: Store) -> None:
        self.name = name
        self.number = number
        self.endpoints = endpoints
        self.partner: Name | None = None
        self.dialogue: Dialogue | None = None
        self.is_open = self.is_over = self._gave_way = False
        self._store = store
        self._opening: list[int | None] = [None, None]
        self._offered: tuple[Side, Numbers] | None = None
        self._intakes: tuple[Intake, Intake] | None = None
        self.corrected = 0, 0

    @property
    def is_settled(self) -> bool:
        """Can the core correct all packets from now on, by the shifts alone?"""
        return self.is_over and (
            self._intakes is None
            or (self._intakes[0].stream.is_settled and self._intakes[1].stream.is_settled)
        )

    @property
    def shifts(self) -> tuple[int, int]:
        """By how many bytes each side's text has grown for the other side."""
        if self._intakes is None:
            return 0, 0
        return self._intakes[0].stream.shift, self._intakes[1].stream.shift

    def leave(self) -> None:
        """End the dialogue; bytes that waited go untouched."""
        self.dialogue = None
        self.is_over = True
        for intake in self._intakes or ():
            intake.give_up()

    def give_way(self) -> None:
        """Leave for good: no dialogue begins here again, whatever the connection does."""
        self._gave_way = True
        self.leave()

    def pass_on(self, segment: Segment, side: Side, reader: Reader, now: float) -> list[bytearray]:
        """The packets to send in place of this one: its own first, then packets with what did not fit."""
        if segment.flags & SYN:
            self._open(segment, side, reader)
            return [as_it_came(segment, b"")]
        if self._offered is not None:
            self._choose(segment, side, reader)
        if self._intakes is None:
            is_early = self._offered is not None and segment.payload
            return [] if is_early else [as_it_came(segment, segment.payload)]
        self.is_open = True
        own, other = self._intakes
        if side is Side.OUTSIDE:
            own, other = other, own
        if segment.flags & ACK:
            other.stream.acknowledge(segment.acked)
        if segment.flags & RST:
            return [reset(segment, own.stream, other.stream, own.reach)]
        start, data = self._sendable(segment, own, reader, now)
        is_final = self.dialogue is None or own.ended
        return packets(segment, own.stream, other.stream, start, data, is_final=is_final)

    def _open(self, segment: Segment, side: Side, reader: Reader) -> None:
        """A SYN counts once the other side has acknowledged it: any host may send a SYN."""
        if not segment.flags & ACK:
            self._opening[side.value] = segment.sequence
            return
        theirs = self._opening[1 - side.value]
        if theirs is None or segment.acked != (theirs + 1) % (1 << 32):
            return
        numbers = (segment.sequence, theirs) if side is Side.INSIDE else (theirs, segment.sequence)
        if self._offered == (side, numbers):  # both sides began, and each has acknowledged the other
            self._begin(numbers, reader)
        elif self._intakes is None or numbers != tuple(each.stream.initial for each in self._intakes):
            self._offered = side.other, numbers

    def _choose(self, segment: Segment, side: Side, reader: Reader) -> None:
        """Accept another answer to a SYN, or a SYN into a connection, if the initiator acknowledges it."""
        if self._offered is None or segment.flags & (ACK | RST) != ACK:
            return
        initiator, numbers = self._offered
        own, other = numbers[side.value], numbers[1 - side.value]
        near = (segment.sequence - own - 1) % (1 << 32), (segment.acked - other - 1) % (1 << 32)
        if side is initiator and max(near) < NEAR:
            self._begin(numbers, reader)

    def _begin(self, numbers: Numbers, reader: Reader) -> None:
        self.leave()
        self._offered = None
        inside, outside = Stream(Side.INSIDE, numbers[0]), Stream(Side.OUTSIDE, numbers[1])
        most = reader.longest_of(self)
        self._intakes = Intake(inside, self._store, most), Intake(outside, self._store, most)
        self.dialogue = None if self._gave_way else reader.begin(self)
        self.is_over = self.dialogue is None

    def _sendable(self, segment: Segment, own: Intake, reader: Reader, now: float) -> tuple[int, bytes]:
        """The bytes that may go with this segment: their first position, as the sender counts, and they."""
        stream, payload = own.stream, segment.payload
        at = stream.position(segment.sequence)
        end = at + len(payload)
        if self.dialogue is None or own.ended:
            stream.taken = max(stream.taken, end)
            return at, payload
        before, gap, overdue = stream.taken, at > own.reach, own.is_overdue(now)
        more = own.receive(at, payload, now)
        waiting = own.waiting
        if more:
            self._read(own, reader, now)
        if overdue and stream.taken == before:
            self.leave()
        if segment.flags & FIN and own.reach == end:
            own.give_up()
            own.ended = True
        if gap:
            return stream.taken, b""
        if end < before:
            return at, payload
        going = waiting[: stream.taken - before]
        return (at, payload[: before - at] + going) if at < before else (before, going)

    def _read(self, own: Intake, reader: Reader, now: float) -> None:
        """Let the dialogue read what waits, in parts whose length does not depend on the segments.

        A train of segments may bring many more bytes than may wait.
        """
        stream, reads_on = own.stream, True
        while reads_on:
            data, base = own.waiting[: own.most], stream.taken
            taken, edits, leaves = reader.read(self, stream.side, data)
            for start, end, text in edits:
                if data[start:end] != text:
                    stream.splice(base + start, base + end, text)
            reads_on = taken > 0 and len(data) < len(own.waiting)
            own.take(min(taken, len(own.waiting)), now)  # a dialogue that was ended meanwhile has let all go
            if leaves or stream.splices > MOST_SPLICES or (not reads_on and own.is_overfull()):
                self.leave()
                reads_on = False
