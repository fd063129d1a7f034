"""A stream of frames: which wait, which pass, and what ends the helper."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from nfmasq.helpers.kit.base import MOST_FOUND, Named, NotActedOn, Place, Side
from nfmasq.helpers.kit.dialogue import Leave
from nfmasq.helpers.kit.frames import MOST_FRAMES_HEARD, MOST_FRAMES_READ, FrameDialogue

HOST = IPv4Address("192.168.1.10")
WANTED, OTHER, BAD = b"W", b"O", b"B"


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """A frame: its kind, the length of its body, its body."""
    return kind + len(body).to_bytes(2) + body


class Spoken(FrameDialogue):
    """Wants frames of one kind. heard: where each began, and what it was."""

    head = 3

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[int, bytes]] = []

    def measure(self, side: Side, head: bytes) -> tuple[int, bool]:
        if head[:1] == BAD:
            raise Leave
        return 3 + int.from_bytes(head[1:]), head[:1] == WANTED

    def may_begin(self, side: Side, begun: bytes) -> bool:
        return begun[:1] != BAD

    def hear(self, side: Side, at: int, frame: bytes) -> Iterator[Place | NotActedOn]:
        self.heard.append((at, frame))
        if frame[3:] == b"over":
            raise Leave
        if frame[3:] == b"malformed":
            raise NotActedOn("malformed")
        for nth in range(len(frame) - 3):
            if frame[3 + nth : 4 + nth] == b"-":
                yield NotActedOn("forged")
            else:
                yield Named(at + 3 + nth, at + 4 + nth, HOST, lambda own, _: b"x")


def said(*pieces: bytes) -> tuple[Spoken, list[int]]:
    """A dialogue that has read these pieces, each behind what waits; what it took of each reading."""
    dialogue, waiting, taken = Spoken(), b"", []
    for piece in pieces:
        waiting += piece
        reading = dialogue.read(Side.INSIDE, waiting)
        waiting = waiting[reading.taken :]
        taken.append(reading.taken)
    return dialogue, taken


def test_a_wanted_frame_is_heard_when_its_last_byte_has_come() -> None:
    one = frame(WANTED, b"abc")
    for cut in range(1, len(one)):
        dialogue, taken = said(one[:cut], one[cut:] + frame(WANTED, b"d"))
        assert taken == [0, len(one) + 4]
        assert dialogue.heard == [(0, one), (len(one), frame(WANTED, b"d"))]


def test_a_frame_that_is_not_wanted_passes_as_it_comes() -> None:
    long = frame(OTHER, b"o" * 60000)
    dialogue, taken = said(long[:2], long[2:10], long[10:50000], long[50000:] + frame(WANTED))
    assert taken == [0, 10, 49990, len(long) - 50000 + 3]
    assert dialogue.heard == [(len(long) - 50000, frame(WANTED))]


def test_each_side_has_frames_of_its_own() -> None:
    dialogue = Spoken()
    dialogue.read(Side.OUTSIDE, frame(OTHER, b"o" * 9)[:5])
    dialogue.read(Side.INSIDE, frame(WANTED))
    assert dialogue.heard == [(0, frame(WANTED))]


def test_what_is_left_alone_is_counted_and_the_other_places_are_found() -> None:
    reading = Spoken().read(Side.INSIDE, frame(WANTED, b"a-b") + frame(WANTED, b"malformed"))
    assert [each.start for each in reading.found] == [3, 5]
    assert reading.not_acted_on == ["forged", "malformed"]


@pytest.mark.parametrize("last", [BAD, frame(BAD), frame(WANTED, b"over")])
def test_where_it_leaves_what_was_found_before_stands(last: bytes) -> None:
    reading = Spoken().read(Side.INSIDE, frame(WANTED, b"a") + last)
    assert (reading.leave, len(reading.found), reading.taken) == (True, 1, 4 + len(last))


def test_more_frames_or_places_than_anybody_says_end_the_helper() -> None:
    assert not Spoken().read(Side.INSIDE, frame(OTHER) * (MOST_FRAMES_READ - 1)).leave
    assert Spoken().read(Side.INSIDE, frame(OTHER) * (MOST_FRAMES_READ + 1)).leave
    assert not Spoken().read(Side.INSIDE, frame(WANTED) * MOST_FRAMES_HEARD).leave
    assert Spoken().read(Side.INSIDE, frame(WANTED) * (MOST_FRAMES_HEARD + 1)).leave
    reading = Spoken().read(Side.INSIDE, frame(WANTED, b"a" * (MOST_FOUND + 1)))
    assert (reading.leave, len(reading.found)) == (True, MOST_FOUND)
