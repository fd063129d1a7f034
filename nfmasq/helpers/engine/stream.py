"""One direction of a TCP connection: the sender's bytes, the receiver's bytes, and the numbers of both.

What is stored: splices, in order. Each splice replaces the sender's bytes from `start` to `end` by another
text. Together they map the sender's positions to the receiver's, and the map never falls. Bytes between two
splices move as a whole. Within a splice, a position goes as far into the new text as into the old one, up to
its end. So a segment [a, b) of the sender becomes the bytes from `image(a)` to `image(b)`. The sender may
cut, repeat or overlap its segments: the receiver always gets the same stream.

Positions count from 0, the byte after the SYN, and never wrap. Sequence numbers wrap, and mean the position
nearest to `taken`.

Who writes: the engine alone. What ends a splice: the receiver has acknowledged it, and enough other splices
have come since. Then only its shift is kept, and retransmissions from before the `floor` are left out: the
receiver has those bytes. Once all splices are acknowledged the stream is settled. Earlier bytes are old for
the receiver then, so one `shift` is right for every segment, and the core can apply it.
"""

from bisect import bisect_left, bisect_right

from nfmasq.helpers.kit.base import Side

KEPT = 32
"""Splices that may stand before the acknowledged ones are folded."""

_WRAP = 1 << 32
_HALF = 1 << 31


class Stream:
    """What `side` sends. initial: the sequence number of its SYN.

    taken: the first position whose byte may not go yet. acked: the position up to which the receiver has
    acknowledged. floor: splices before it are forgotten. shift: bytes by which all splices together have
    lengthened the stream. urgent: the sender's urgent position, while it cannot be passed on.
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
        """Was no byte ever rewritten?"""
        return not self._starts and not self.floor

    @property
    def is_settled(self) -> bool:
        """Has the receiver acknowledged every text that was written?"""
        return not self._ends or self.acked >= self._ends[-1]

    @property
    def initial(self) -> int:
        """The sequence number of the SYN."""
        return (self._first - 1) % _WRAP

    @property
    def splices(self) -> int:
        """How many splices stand."""
        return len(self._starts)

    def position(self, sequence: int) -> int:
        """The position that a sequence number of the sender means."""
        taken = self.taken
        return taken + (sequence - self._first - taken + _HALF) % _WRAP - _HALF

    def receiver_position(self, number: int) -> int:
        """The receiver's position that an acknowledgment number of the receiver means."""
        near = self.taken + self.shift
        return near + (number - self._first - near + _HALF) % _WRAP - _HALF

    def number(self, position: int) -> int:
        """The 32-bit sequence number of a position, the sender's or the receiver's."""
        return (self._first + position) % _WRAP

    def image(self, position: int) -> int:
        """The receiver's position for a position of the sender."""
        at = bisect_right(self._starts, position) - 1
        if at < 0:
            return position + self._base
        size = len(self._texts[at])
        if position < self._ends[at]:
            return self._images[at] + min(position - self._starts[at], size)
        return self._images[at] + size + position - self._ends[at]

    def last_before(self, image: int) -> int:
        """The sender's last position whose image is not beyond this one: what an ACK acknowledges."""
        at = bisect_right(self._images, image) - 1
        if at < 0:
            return image - self._base
        into, size = image - self._images[at], len(self._texts[at])
        if into >= size:
            return self._ends[at] + into - size
        return min(self._starts[at] + into, self._ends[at] - 1)

    def first_behind(self, image: int) -> int:
        """The sender's first position whose image is not before this one: where a SACK block begins."""
        at = bisect_left(self._images, image) - 1
        if at < 0:
            return image - self._base
        into, size = image - self._images[at], len(self._texts[at])
        if into > size:
            return self._ends[at] + into - size
        return min(self._starts[at] + into, self._ends[at])

    def splice(self, start: int, end: int, text: bytes) -> None:
        """Replace the bytes from start to end, behind all earlier splices, by this text."""
        self._images.append(self.image(start))
        self._starts.append(start)
        self._ends.append(end)
        self._texts.append(text)
        self.shift += len(text) - (end - start)

    def rewritten(self, start: int, end: int, data: bytes) -> bytes:
        """The receiver's bytes for `data`, the sender's from start (not before the floor) to end."""
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
        """The receiver has all bytes before this number of its own; old splices are folded."""
        if number == self._last:
            return
        self._last = number
        taken, whole = self.taken + self.shift, self.receiver_position(number)
        if self._whole < whole <= taken + 1:  # a FIN counts as one
            self._whole = whole
            self.acked = max(self.acked, min(self.last_before(whole), self.taken))
            if len(self._starts) > KEPT:
                self._fold(bisect_right(self._ends, self.acked))

    def expected(self, position: int) -> int:
        """The position that the receiver expects when the sender stands at `position`.

        The receiver may have acknowledged a part of a text, which has no position of the sender.
        """
        return self._whole if self.last_before(self._whole) == position else self.image(position)

    def _fold(self, count: int) -> None:
        if not count:
            return
        self.floor = self._ends[count - 1]
        self._base = self.image(self.floor) - self.floor
        for column in (self._starts, self._ends, self._images, self._texts):
            del column[:count]
