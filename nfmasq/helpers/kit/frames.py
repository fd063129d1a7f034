"""A dialogue of frames on a TCP session: binary messages that say how long they are.

What is stored: of each side, how many bytes are still to pass of a frame that nobody wants to hear. Also how
many frames a reading has heard. Who writes: `read` alone. What ends it: `measure` or `hear` raises Leave. So
does a reading with too many frames or places.

A protocol says how long a frame is, by its first `head` bytes, and what a whole one means. A frame that is
not wanted passes as it comes, however long it is. Of a wanted one all bytes wait until the last has come.
"""

from collections.abc import Iterable
from typing import ClassVar

from nfmasq.helpers.kit.base import MOST_FOUND, NotActedOn, Place, Reading, Side
from nfmasq.helpers.kit.dialogue import Leave

MOST_FRAMES_READ, MOST_FRAMES_HEARD = 256, 32
"""In one reading, all and those that are wanted: a host that says more means harm."""


class FrameDialogue:
    """One session. head: by so many bytes a frame's length is known."""

    head: ClassVar[int]

    def __init__(self) -> None:
        self._passing = dict.fromkeys(Side, 0)
        self._heard = 0

    def measure(self, side: Side, head: bytes) -> tuple[int, bool]:
        """The whole frame's length, at least `head`, and whether it is to be heard. Raises Leave."""
        raise NotImplementedError

    def may_begin(self, side: Side, begun: bytes) -> bool:
        """May a frame begin with these bytes, fewer than `head`? Else the helper leaves."""
        return True

    def hear(self, side: Side, at: int, frame: bytes) -> Iterable[Place | NotActedOn]:
        """The places in a whole frame, in order, and a NotActedOn for each part that is left alone.

        at: where the frame begins; spans count from there. A NotActedOn may be raised as well. Raises Leave.
        """
        raise NotImplementedError

    def read(self, side: Side, data: bytes) -> Reading:
        """Read what a side says next (Dialogue)."""
        found: list[Place] = []
        left_alone: list[str] = []
        at = self._pass(side, 0, self._passing[side], len(data))
        self._heard = 0
        try:
            for _ in range(MOST_FRAMES_READ):
                taken = self._take_in(side, at, data, found, left_alone)
                if len(found) > MOST_FOUND or self._heard > MOST_FRAMES_HEARD:
                    raise Leave
                if taken == at:
                    return Reading(at, found, not_acted_on=left_alone)
                at = taken
        except Leave:
            pass
        return Reading(len(data), found[:MOST_FOUND], leave=True, not_acted_on=left_alone)

    def _take_in(self, side: Side, at: int, data: bytes, found: list[Place], left_alone: list[str]) -> int:
        """Read the frame that begins there; where the next one begins, or the same place: it has to wait."""
        begun = data[at : at + self.head]
        if len(begun) < self.head:
            if not self.may_begin(side, begun):
                raise Leave
            return at
        length, is_wanted = self.measure(side, begun)
        if is_wanted:
            if at + length > len(data):
                return at
            self._heard += 1
            try:
                for each in self.hear(side, at, data[at : at + length]):
                    if isinstance(each, NotActedOn):
                        left_alone.append(str(each))
                    else:
                        found.append(each)
            except NotActedOn as why:
                left_alone.append(str(why))
        return self._pass(side, at, length, len(data))

    def _pass(self, side: Side, at: int, length: int, end: int) -> int:
        """Let so many bytes pass, of a frame that may go on behind the data."""
        self._passing[side] = max(0, at + length - end)
        return min(at + length, end)
