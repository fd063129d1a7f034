"""One TCP session that a helper reads: from its packets to the dialogue, and back into packets.

What is stored: the sequence numbers of SYNs under way; once both ends have agreed on theirs, a stream and
an intake for each side, and the helper's dialogue. Who writes: the engine's thread; `leave` from others
too, while they hold the engine's lock. What ends the dialogue: its own wish, an error, a bound, a switch;
the streams stay until both are settled, for the numbers must go on being corrected. A new connection between
the same endpoints begins all of it anew, as soon as who asked for it has acknowledged the answer: of several
answers (a SYN sent again, a server that keeps no state) it alone tells which one counts.
"""

from collections.abc import Iterable
from typing import Protocol

from nfmasq.helpers.engine.expectations import Name
from nfmasq.helpers.engine.intake import Intake, Store
from nfmasq.helpers.engine.segment import ACK, FIN, RST, SYN, Segment
from nfmasq.helpers.engine.sending import as_it_came, packets, reset
from nfmasq.helpers.engine.stream import Stream
from nfmasq.helpers.engine.trust import Edit
from nfmasq.helpers.kit.base import Dialogue, Session, Side

MOST_SPLICES = 2048
"""Of one side, none of them acknowledged."""
MOST_AT_ONCE = 4096
"""Bytes that a dialogue is given to read: a train of segments may bring many more."""
NEAR = 1 << 16
"""How far behind its SYN a segment may be that shows which answer the SYN had."""

Numbers = tuple[int, int]
"""The sequence numbers of both SYNs, by side."""


class Talk(Protocol):
    """A session that a helper reads. number: the helper's."""

    @property
    def name(self) -> Name: ...
    @property
    def number(self) -> int: ...
    @property
    def session(self) -> Session: ...
    @property
    def dialogue(self) -> Dialogue | None: ...


class Reader(Protocol):
    """Who calls dialogues, and acts on what they say."""

    def begin(self, talk: Talk) -> Dialogue | None:
        """A dialogue for a connection that begins; None when the helper is off or failed."""

    def read(self, talk: Talk, side: Side, data: bytes) -> tuple[int, Iterable[Edit], bool]:
        """How many bytes the dialogue is done with, what to write, and whether it leaves."""


class Conversation:
    """number: of the helper. is_over: no dialogue will come any more, unless the connection begins anew.

    told: the shifts of both sides, as the core knows them.
    """

    __slots__ = (
        "_intakes",
        "_offered",
        "_opening",
        "_store",
        "dialogue",
        "is_over",
        "name",
        "number",
        "session",
        "told",
    )

    def __init__(self, name: Name, number: int, session: Session, store: Store) -> None:
        self.name = name
        self.number = number
        self.session = session
        self.dialogue: Dialogue | None = None
        self.is_over = False
        self._store = store
        self._opening: list[int | None] = [None, None]
        self._offered: tuple[Side, Numbers] | None = None
        self._intakes: tuple[Intake, Intake] | None = None
        self.told = 0, 0

    @property
    def is_settled(self) -> bool:
        """Do the shifts alone do for all its packets from now on?"""
        return self.is_over and (
            self._intakes is None
            or (self._intakes[0].stream.is_settled and self._intakes[1].stream.is_settled)
        )

    @property
    def shifts(self) -> tuple[int, int]:
        """By how much longer each side's bytes have become for the other."""
        if self._intakes is None:
            return 0, 0
        return self._intakes[0].stream.shift, self._intakes[1].stream.shift

    def leave(self) -> None:
        """End the dialogue; what waited goes untouched."""
        self.dialogue = None
        self.is_over = True
        for intake in self._intakes or ():
            intake.give_up()

    def pass_on(self, segment: Segment, side: Side, reader: Reader, now: float) -> list[bytearray]:
        """The packets to send on in place of this one: its own first, then what it has no room for."""
        if segment.flags & SYN:
            self._open(segment, side, reader)
            return [as_it_came(segment, b"")]
        if self._offered is not None:
            self._choose(segment, side, reader)
        if self._intakes is None:
            return [as_it_came(segment, segment.payload)]
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
        """A SYN counts once the other side has acknowledged it: anybody may send one."""
        if not segment.flags & ACK:
            self._opening[side.value] = segment.sequence
            return
        theirs = self._opening[1 - side.value]
        if theirs is None or segment.acked != (theirs + 1) % (1 << 32):
            return
        numbers = (segment.sequence, theirs) if side is Side.INSIDE else (theirs, segment.sequence)
        if self._intakes is None:
            self._begin(numbers, reader)
        elif numbers != tuple(each.stream.initial for each in self._intakes):
            self._offered = side.other, numbers

    def _choose(self, segment: Segment, side: Side, reader: Reader) -> None:
        """Take the answer to a SYN that came after another one, or into a connection, if its asker does."""
        if self._offered is None or segment.flags & (ACK | RST) != ACK:
            return
        asker, numbers = self._offered
        own, other = numbers[side.value], numbers[1 - side.value]
        near = (segment.sequence - own - 1) % (1 << 32), (segment.acked - other - 1) % (1 << 32)
        if side is asker and max(near) < NEAR:
            self._begin(numbers, reader)

    def _begin(self, numbers: Numbers, reader: Reader) -> None:
        self.leave()
        self._offered = None
        inside, outside = Stream(Side.INSIDE, numbers[0]), Stream(Side.OUTSIDE, numbers[1])
        self._intakes = Intake(inside, self._store), Intake(outside, self._store)
        self.dialogue = reader.begin(self)
        self.is_over = self.dialogue is None

    def _sendable(self, segment: Segment, own: Intake, reader: Reader, now: float) -> tuple[int, bytes]:
        """Where the bytes begin that may go with this segment, and the bytes, as the sender numbers them."""
        stream, payload = own.stream, segment.payload
        at = stream.position(segment.sequence)
        end = at + len(payload)
        if self.dialogue is None or own.ended:
            stream.taken = max(stream.taken, end)
            return at, payload
        before, gap, overdue = stream.taken, at > own.reach, own.is_overdue(now)
        heard = own.hear(at, payload, now)
        waiting = own.waiting
        if heard:
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
        """Let the dialogue read what waits, in parts whose length no segment decides."""
        stream, reads_on = own.stream, True
        while reads_on:
            data, base = own.waiting[:MOST_AT_ONCE], stream.taken
            taken, edits, leaves = reader.read(self, stream.side, data)
            for start, end, text in edits:
                if data[start:end] != text:
                    stream.splice(base + start, base + end, text)
            reads_on = taken > 0 and len(data) < len(own.waiting)
            own.take(min(taken, len(own.waiting)), now)  # a switch may have let all go meanwhile
            if leaves or stream.splices > MOST_SPLICES or (not reads_on and own.is_overfull()):
                self.leave()
                reads_on = False
