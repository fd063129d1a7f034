"""One direction of a TCP connection: what one end sends, what the other gets instead, and their numbers.

What is stored: splices, in order. Each says that the sender's bytes from `start` to `end` are heard as
another text. They make a map from the sender's positions to the receiver's that never falls: what lies
between two splices is moved as a whole; within a splice a position goes as far into the new text as into
the old one, up to its end. So any segment [a, b) of the sender becomes just the bytes from `image(a)` to
`image(b)`, and however the sender cuts, repeats or overlaps, the receiver hears one and the same stream.

Positions count from 0, the byte after the SYN, and never wrap; sequence numbers do, and are taken for what
is nearest to `taken`. Who writes: the engine alone. What ends a splice: the receiver has acknowledged it
and others have come since. Then only the shift is left of it; what the sender repeats from before the
`floor` is left out, for the receiver has it. Once all are acknowledged the stream is settled: whatever comes
from before is old to the receiver, so the one `shift` does for every segment, and the core can apply it.
"""

from bisect import bisect_left, bisect_right

from nfmasq.helpers.kit.base import Side

KEPT = 32
"""Acknowledged splices that may stand before they are folded."""

_WRAP = 1 << 32
_HALF = 1 << 31


class Stream:
    """What `side` sends. initial: the sequence number of its SYN.

    taken: the first position whose byte may not go on its way yet. acked: how far the receiver has
    acknowledged. floor: before it, the splices are forgotten. shift: by how much longer all splices have made
    it. urgent: the urgent position the sender told, while it cannot be told on.
    """

    __slots__ = (
        "_base",
        "_ends",
        "_first",
        "_images",
        "_last",
        "_starts",
        "_texts",
        "_whole",
        "acked",
        "floor",
        "shift",
        "side",
        "taken",
        "urgent",
    )

    def __init__(self, side: Side, initial: int) -> None:
        self.side = side
        self.taken = self.acked = self.floor = self.shift = 0
        self.urgent: int | None = None
        self._first = (initial + 1) % _WRAP
        self._whole = 0
        self._last: int | None = None
        self._base = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._images: list[int] = []
        self._texts: list[bytes] = []

    @property
    def is_plain(self) -> bool:
        """Was nothing ever rewritten?"""
        return not self._starts and not self.floor

    @property
    def is_settled(self) -> bool:
        """Does the receiver have every text that was written?"""
        return not self._ends or self.acked >= self._ends[-1]

    @property
    def initial(self) -> int:
        """The sequence number of the SYN."""
        return (self._first - 1) % _WRAP

    @property
    def splices(self) -> int:
        """How many stand."""
        return len(self._starts)

    def position(self, sequence: int) -> int:
        """The position the sender's sequence number means."""
        taken = self.taken
        return taken + (sequence - self._first - taken + _HALF) % _WRAP - _HALF

    def heard(self, number: int) -> int:
        """The receiver's position that its acknowledgment number means."""
        near = self.taken + self.shift
        return near + (number - self._first - near + _HALF) % _WRAP - _HALF

    def number(self, position: int) -> int:
        """The 32-bit number of a position, of the sender's or of the receiver's counting."""
        return (self._first + position) % _WRAP

    def image(self, position: int) -> int:
        """The receiver's position for one of the sender's."""
        at = bisect_right(self._starts, position) - 1
        if at < 0:
            return position + self._base
        size = len(self._texts[at])
        if position < self._ends[at]:
            return self._images[at] + min(position - self._starts[at], size)
        return self._images[at] + size + position - self._ends[at]

    def last_before(self, image: int) -> int:
        """The last of the sender's positions whose image is not beyond this one: what an ACK acknowledges."""
        at = bisect_right(self._images, image) - 1
        if at < 0:
            return image - self._base
        into, size = image - self._images[at], len(self._texts[at])
        if into >= size:
            return self._ends[at] + into - size
        return min(self._starts[at] + into, self._ends[at] - 1)

    def first_behind(self, image: int) -> int:
        """The first of the sender's positions whose image is not before this one: a SACK block begins."""
        at = bisect_left(self._images, image) - 1
        if at < 0:
            return image - self._base
        into, size = image - self._images[at], len(self._texts[at])
        if into > size:
            return self._ends[at] + into - size
        return min(self._starts[at] + into, self._ends[at])

    def splice(self, start: int, end: int, text: bytes) -> None:
        """Let the bytes from start to end, behind all earlier splices, be heard as this text."""
        self._images.append(self.image(start))
        self._starts.append(start)
        self._ends.append(end)
        self._texts.append(text)
        self.shift += len(text) - (end - start)

    def rewritten(self, start: int, end: int, data: bytes) -> bytes:
        """What the receiver gets for the bytes from start (not before the floor) to end, which are data."""
        at = bisect_right(self._ends, start)
        if at == len(self._starts) or self._starts[at] >= end:
            return data
        parts, here = [], start
        while at < len(self._starts) and self._starts[at] < end:
            first, last, text = self._starts[at], self._ends[at], self._texts[at]
            parts.append(data[here - start : max(first - start, 0)])
            parts.append(text[max(here - first, 0) : end - first if end < last else None])
            here = min(last, end)
            at += 1
        parts.append(data[here - start :])
        return b"".join(parts)

    def acknowledge(self, number: int) -> None:
        """The receiver has all before this number of its counting; old splices are folded."""
        if number == self._last:
            return
        self._last = number
        taken, whole = self.taken + self.shift, self.heard(number)
        if self._whole < whole <= taken + 1:  # a FIN counts as one
            self._whole = whole
            self.acked = max(self.acked, min(self.last_before(whole), self.taken))
            if len(self._starts) > KEPT:
                self._fold(bisect_right(self._ends, self.acked))

    def expected(self, position: int) -> int:
        """The image of a position; of what an acknowledgment was told as, just what was acknowledged.

        That may be a part of a text, which has no position of its own.
        """
        return self._whole if self.last_before(self._whole) == position else self.image(position)

    def _fold(self, count: int) -> None:
        if not count:
            return
        self.floor = self._ends[count - 1]
        self._base = self.image(self.floor) - self.floor
        for column in (self._starts, self._ends, self._images, self._texts):
            del column[:count]
