"""A dialogue of lines on a TCP session: the loop that reads, its bounds, and how it leaves.

What is stored: of each side the line that has begun (`lines`), and whether its first line was read. Who
writes: `read` alone. What ends it: `hear` or `wait_from` raises Leave, or a side begins unlike its opening
(`anchoring`). So does a line longer than `longest`, and a reading with too many lines or places.

A protocol says what a whole line means (`hear`), and which bytes of a line that has only begun must wait
(`wait_from`).
"""

from collections.abc import Iterable, Mapping

from nfmasq.helpers.kit.anchoring import ANYHOW, Opening
from nfmasq.helpers.kit.base import MOST_FOUND, NotActedOn, Place, Reading, Side
from nfmasq.helpers.kit.lines import Speech, is_http_header


class Leave(Exception):
    """This is another protocol, or it cannot be read any longer: the helper ends on this session."""


_ANYHOW = dict.fromkeys(Side, ANYHOW)


class LineDialogue:
    """One session. longest: bytes of a line, its end included. speech: what a side's stream is cut by.

    openings: how each side must begin.
    """

    def __init__(
        self, longest: int, speech: type[Speech] = Speech, openings: Mapping[Side, Opening] = _ANYHOW
    ) -> None:
        self._speech = {side: speech(longest) for side in Side}
        self._openings = openings

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
            taken = speech.take(data, begun, lambda line: self._waits_from(side, line))
        except Leave:
            return Reading(len(data), found[:MOST_FOUND], leave=True, not_acted_on=left_alone)
        return Reading(taken, found, not_acted_on=left_alone)

    def _take_in(self, side: Side, at: int, line: bytes, found: list[Place], left_alone: list[str]) -> None:
        self._anchor(side, line)
        self._speech[side].has_spoken = True
        try:
            for each in self.hear(side, at, line):
                if isinstance(each, NotActedOn):
                    left_alone.append(str(each))
                else:
                    found.append(each)
        except NotActedOn as why:
            left_alone.append(str(why))

    def _waits_from(self, side: Side, line: bytes) -> int:
        self._anchor(side, line)
        return self.wait_from(side, line)

    def _anchor(self, side: Side, line: bytes) -> None:
        """Raise Leave where a line, or what has come of it, shows another protocol."""
        opening = self._openings[side]
        is_other = not self._speech[side].has_spoken and not opening.fits(line)
        if is_other or (opening.never_http and is_http_header(line)):
            raise Leave
