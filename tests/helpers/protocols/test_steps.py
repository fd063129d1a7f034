"""How much work any bytes can make for the helpers of the tree: steps are counted, not time.

A step is a call of a function, Python's or C's. The engine gives a dialogue 4096 bytes in one call; the tests
give more.
"""

import sys
from types import FrameType

import pytest
from support.hostile import BEGUN, LINES, Kind, hostile

from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.lines import MOST_LINES
from nfmasq.helpers.kit.listener import Listener

OF_A_LINE = 60
"""Steps that a line of the common kind may cost, in the mean."""
OF_THE_LONGEST_LINE = 2000
OF_A_BEGUN_LINE = 400
"""Each time that a byte comes to it."""


def steps(heard: Listener, side: Side, text: bytes) -> int:
    """How many it takes the dialogue to read this."""
    count = 0

    def step(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        heard._dialogue.read(side, text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("kind", "line"), LINES, ids=lambda each: each.__name__ if isinstance(each, type) else repr(each[:30])
)
class TestLines:
    """The shortest, the longest, and those that look most like something."""

    def test_as_many_at_once_as_may_come(self, kind: Kind, line: bytes, side: Side) -> None:
        text = hostile(line, kind)
        most = MOST_LINES * OF_A_LINE
        if len(line) > 100:
            most = -(-len(text) // len(line)) * OF_THE_LONGEST_LINE
        assert (
            steps(Listener(kind(), True, transport=kind.transport).hear_all(BEGUN[kind]), side, text) <= most
        )

    def test_byte_by_byte(self, kind: Kind, line: bytes, side: Side) -> None:
        heard = Listener(kind(), True, transport=kind.transport).hear_all(BEGUN[kind])
        heard.hear(side, line[:-3])
        for at in range(max(len(line) - 3, 0), len(line)):
            given = heard.waiting[side] + line[at : at + 1]
            assert heard.left or steps(heard, side, given) <= OF_A_BEGUN_LINE
