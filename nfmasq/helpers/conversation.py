"""One TCP session that a helper reads: from its packets to the dialogue, and back into packets.

What is stored: the sequence numbers of SYNs under way; once both ends have agreed on theirs, a stream and
an intake for each side, and the helper's dialogue. Who writes: the engine's thread; `leave` from others
too, while they hold the engine's lock. What ends the dialogue: its own wish, an error, a bound, a switch;
the streams stay as long as anything was ever rewritten, for the numbers must go on being corrected. A new
connection between the same endpoints begins all of it anew.
"""

from collections.abc import Iterable
from typing import Protocol

from nfmasq.helpers.acting import Edit
from nfmasq.helpers.base import Dialogue, Session, Side
from nfmasq.helpers.expecting import Name
from nfmasq.helpers.intake import Intake, Store
from nfmasq.helpers.segment import ACK, FIN, SYN, Segment
from nfmasq.helpers.sending import as_it_came, packets
from nfmasq.helpers.stream import Stream

MOST_SPLICES = 2048
"""Of one side, none of them acknowledged."""


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
    """number: of the helper. is_over: no dialogue will come any more, unless the connection begins anew."""

    __slots__ = ("_intakes", "_opening", "_store", "dialogue", "is_over", "name", "number", "session")

    def __init__(self, name: Name, number: int, session: Session, store: Store) -> None:
        self.name = name
        self.number = number
        self.session = session
        self.dialogue: Dialogue | None = None
        self.is_over = False
        self._store = store
        self._opening: list[int | None] = [None, None]
        self._intakes: tuple[Intake, Intake] | None = None

    @property
    def is_plain(self) -> bool:
        """Do its packets pass as they are?"""
        return self.is_over and (
            self._intakes is None or all(intake.stream.is_plain for intake in self._intakes)
        )

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
        if self._intakes is None:
            return [as_it_came(segment, segment.payload)]
        own, other = self._intakes[side.value], self._intakes[1 - side.value]
        if segment.flags & ACK:
            stream = other.stream
            stream.acknowledge(stream.last_before(stream.heard(segment.acked)))
        start, data = self._sendable(segment, own, reader, now)
        return packets(segment, own.stream, other.stream, start, data)

    def _open(self, segment: Segment, side: Side, reader: Reader) -> None:
        """A SYN counts once the other side has acknowledged it: anybody may send one."""
        if not segment.flags & ACK:
            self._opening[side.value] = segment.sequence
            return
        theirs = self._opening[1 - side.value]
        if theirs is None or segment.acked != (theirs + 1) % (1 << 32):
            return
        numbers = (segment.sequence, theirs) if side is Side.INSIDE else (theirs, segment.sequence)
        if self._intakes is None or numbers != tuple(each.stream.initial for each in self._intakes):
            self.leave()
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
        if overdue:
            self.leave()
        elif heard:
            self._read(own, reader, now)
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
        stream, data, base = own.stream, own.waiting, own.stream.taken
        taken, edits, leaves = reader.read(self, stream.side, data)
        for start, end, text in edits:
            if data[start:end] != text:
                stream.splice(base + start, base + end, text)
        own.take(min(taken, len(own.waiting)), now)  # a switch may have let all go meanwhile
        if leaves or own.is_overfull() or stream.splices > MOST_SPLICES:
            self.leave()
