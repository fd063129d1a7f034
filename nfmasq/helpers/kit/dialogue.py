"""A dialogue of lines on a TCP session: the loop that reads, its bounds, and how it leaves.

What is stored: of each side the line that has begun (`lines`). Who writes: `read` alone. What ends it: `hear`
or `wait_from` raises Leave, a line is longer than `longest`, or one reading brings too many lines or places.

A protocol says what a whole line means (`hear`), and which bytes of a line that has only begun must wait
(`wait_from`).
"""

from collections.abc import Iterable

from nfmasq.helpers.kit.base import MOST_FOUND, NotActedOn, Place, Reading, Side
from nfmasq.helpers.kit.lines import Speech


class Leave(Exception):
    """This is another protocol, or it cannot be read any longer: the helper ends on this session."""


class LineDialogue:
    """One session. longest: bytes of a line, its end included. speech: what a side's stream is cut by."""

    def __init__(self, longest: int, speech: type[Speech] = Speech) -> None:
        self._speech = {side: speech(longest) for side in Side}

    def hear(self, side: Side, at: int, line: bytes) -> Iterable[Place | NotActedOn]:
        """The places in a whole line, in order, and a NotActedOn for each message that is left alone.

        at: where the line begins; spans count from there. A NotActedOn may be raised as well. Raises Leave.
        """
        raise NotImplementedError

    def wait_from(self, side: Side, line: bytes) -> int:
        """From which byte of a line that has begun its bytes must wait; its length, if none. Raises Leave."""
        raise NotImplementedError

    def read(self, side: Side, data: bytes) -> Reading:
        """Read what a side says next (Dialogue)."""
        speech = self._speech[side]
        lines, begun = speech.cut(data)
        found: list[Place] = []
        left_alone: list[str] = []
        try:
            for at, line in lines:
                self._take_in(side, at, line, found, left_alone)
                if len(found) > MOST_FOUND:
                    raise Leave
            if speech.overrun:
                raise Leave
            taken = speech.take(data, begun, lambda line: self.wait_from(side, line))
        except Leave:
            return Reading(len(data), found[:MOST_FOUND], leave=True, not_acted_on=left_alone)
        return Reading(taken, found, not_acted_on=left_alone)

    def _take_in(self, side: Side, at: int, line: bytes, found: list[Place], left_alone: list[str]) -> None:
        try:
            for each in self.hear(side, at, line):
                if isinstance(each, NotActedOn):
                    left_alone.append(str(each))
                else:
                    found.append(each)
        except NotActedOn as why:
            left_alone.append(str(why))
