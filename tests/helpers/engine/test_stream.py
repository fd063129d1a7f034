"""The map from a sender's stream to the receiver's: against one made byte by byte."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nfmasq.helpers.engine.stream import KEPT, Stream
from nfmasq.helpers.kit.base import Side

INITIALS = st.sampled_from([0, 7, (1 << 31) - 5, (1 << 32) - 10, (1 << 32) - 1])


class Plan:
    """A stream's bytes and splices, and the receiver's position for each of the sender's."""

    def __init__(self, sent: bytes, splices: list[tuple[int, int, bytes]]) -> None:
        self.sent = sent
        self.splices = splices
        self.rewritten = b""
        self.images: list[int] = []
        here = 0
        for start, end, text in splices:
            self._plain(sent[here:start])
            self.images += [len(self.rewritten) + min(at, len(text)) for at in range(end - start)]
            self.rewritten += text
            here = end
        self._plain(sent[here:])
        self.images.append(len(self.rewritten))

    def _plain(self, text: bytes) -> None:
        self.images += range(len(self.rewritten), len(self.rewritten) + len(text))
        self.rewritten += text

    def position(self, image: int) -> int:
        """The last position whose image is not beyond this one; a FIN counts as one behind all."""
        if image > len(self.rewritten):
            return len(self.sent) + image - len(self.rewritten)
        return max(at for at, its in enumerate(self.images) if its <= image)

    def position_behind(self, image: int) -> int:
        """The first position whose image is not before this one."""
        return min(at for at, its in enumerate(self.images) if its >= image)

    def stream(self, initial: int = 0) -> Stream:
        """The same in a Stream."""
        stream = Stream(Side.INSIDE, initial)
        for splice in self.splices:
            stream.splice(*splice)
        stream.taken = len(self.sent)
        return stream


@st.composite
def plans(draw: st.DrawFn, most: int = 60) -> Plan:
    sent = bytes(draw(st.lists(st.integers(97, 122), min_size=1, max_size=most)))
    edges = sorted(draw(st.sets(st.integers(0, len(sent)), max_size=12)))
    texts = st.binary(min_size=1, max_size=9)
    splices = [(start, end, draw(texts)) for start, end in pairwise(edges) if draw(st.booleans())]
    return Plan(sent, splices)


@given(plans())
def test_every_position_has_its_image(plan: Plan) -> None:
    stream = plan.stream()
    assert [stream.image(at) for at in range(len(plan.sent) + 1)] == plan.images


@given(plans(), st.data())
def test_any_segment_becomes_what_lies_between_the_images_of_its_ends(
    plan: Plan, data: st.DataObject
) -> None:
    stream = plan.stream()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(plan.sent))] * 2)))
    expected = plan.rewritten[plan.images[start] : plan.images[end]]
    assert stream.rewritten(start, end, plan.sent[start:end]) == expected


@given(plans())
def test_positions_go_back_to_the_last_and_the_first_they_may_stand_for(plan: Plan) -> None:
    stream = plan.stream()
    for image in range(len(plan.rewritten) + 1):
        before = max(at for at, its in enumerate(plan.images) if its <= image)
        behind = min(at for at, its in enumerate(plan.images) if its >= image)
        assert stream.last_before(image) == before
        assert stream.first_behind(image) == behind


@given(plans(), INITIALS)
def test_numbers_wrap(plan: Plan, initial: int) -> None:
    stream = plan.stream(initial)
    for at, image in enumerate(plan.images):
        assert stream.position((initial + 1 + at) % (1 << 32)) == at
        assert stream.receiver_position((initial + 1 + image) % (1 << 32)) == image
        assert stream.number(image) == (initial + 1 + image) % (1 << 32)


def test_a_long_stream_wraps_more_than_once() -> None:
    stream = Stream(Side.INSIDE, 4_000_000_000)
    for at in range(0, 9 << 30, 1 << 30):
        stream.taken = at
        stream.splice(at, at + 10, b"x" * 13)
        stream.taken = at + 10
        assert stream.position((4_000_000_001 + at + 10) % (1 << 32)) == at + 10
        assert stream.image(at + 10) - at - 10 == 3 * ((at >> 30) + 1)


def test_thousands_of_corrections_stand_and_are_folded_once_acknowledged() -> None:
    stream = Stream(Side.INSIDE, 0)
    for at in range(0, 100_000, 20):
        stream.splice(at, at + 10, b"y" * 14)
        stream.taken = at + 20
    assert stream.splices == 5000
    assert stream.rewritten(50_000, 50_012, b"0123456789ab") == b"y" * 14 + b"ab"
    stream.acknowledge(stream.number(stream.image(99_990)))
    assert stream.splices == 0
    assert stream.image(100_000) == 120_000
    assert stream.last_before(120_000) == 100_000


def test_what_is_not_acknowledged_is_not_folded() -> None:
    stream = Stream(Side.INSIDE, 0)
    for at in range(0, 40 * 20, 20):
        stream.splice(at, at + 10, b"y" * 14)
        stream.taken = at + 20
    stream.acknowledge(stream.number(stream.image(105)))
    assert stream.splices == 35 + (5 if KEPT >= 40 else 0)
    assert stream.rewritten(100, 110, b"0123456789") == b"y" * 14
    assert stream.floor == 90


def test_a_receiver_cannot_acknowledge_what_was_never_sent_to_it() -> None:
    stream = Stream(Side.INSIDE, 0)
    stream.taken = 100
    stream.acknowledge(stream.number(102))
    assert stream.acked == 0
    stream.acknowledge(stream.number(101))  # a FIN
    assert stream.acked == 100
