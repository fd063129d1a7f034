"""The loop of dialogues that read lines: what it gives a protocol, and when it leaves."""

from collections.abc import Iterable
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import MOST_FOUND, Named, NotActedOn, Place, Side
from nfmasq.helpers.kit.dialogue import Leave, LineDialogue

IN, OUT = Side.INSIDE, Side.OUTSIDE
ADDRESS = IPv4Address("192.168.1.10")


class Words(LineDialogue):
    """A line is a word: each "a" in it is a place; "no" is left alone, "never" too, "bye" ends it."""

    def __init__(self) -> None:
        super().__init__(longest=64)
        self.heard: list[tuple[Side, bytes]] = []

    def hear(self, side: Side, at: int, line: bytes) -> Iterable[Place | NotActedOn]:
        self.heard.append((side, line))
        if line == b"bye\n":
            raise Leave
        if line == b"never\n":
            raise NotActedOn("forged")
        for place, letter in enumerate(line, at):
            if letter == ord("a"):
                yield Named(place, place + 1, ADDRESS, lambda address, port: b"b")
        if line == b"no\n":
            yield NotActedOn("malformed")

    def wait_from(self, side: Side, line: bytes) -> int:
        if line.startswith(b"?"):
            raise Leave
        return 2 if line.startswith(b"w:") else len(line)


def test_whole_lines_are_heard_and_their_places_counted_from_the_bytes_given() -> None:
    words = Words()
    reading = words.read(IN, b"xa\naa\nx")
    assert [place.start for place in reading.found] == [1, 3, 4]
    assert (reading.taken, reading.leave, words.heard) == (7, False, [(IN, b"xa\n"), (IN, b"aa\n")])
    assert [place.start for place in words.read(IN, b"a\n").found] == [0]


def test_the_sides_do_not_mix() -> None:
    words = Words()
    words.read(IN, b"one")
    words.read(OUT, b"two\n")
    words.read(IN, b"\n")
    assert words.heard == [(OUT, b"two\n"), (IN, b"one\n")]


def test_of_a_line_that_has_begun_only_the_rest_waits() -> None:
    assert Words().read(IN, b"x\nw:rest").taken == 4
    assert Words().read(IN, b"x\nother").taken == 7


def test_a_message_left_alone_is_counted_yielded_or_raised_and_the_next_is_heard() -> None:
    reading = Words().read(IN, b"no\nnever\na\n")
    assert (len(reading.found), reading.not_acted_on, reading.leave) == (1, ["malformed", "forged"], False)


def test_it_leaves_with_all_bytes_and_what_was_found_before() -> None:
    for text in (b"a\nbye\na\n", b"a\n?", b"a\n" + b"x" * 65):
        reading = Words().read(IN, text)
        assert (reading.leave, reading.taken, len(reading.found)) == (True, len(text), 1)


def test_it_leaves_where_more_is_found_than_one_reading_may_hold() -> None:
    reading = Words().read(IN, b"aaaaaaaa\n" * (MOST_FOUND // 8 + 1))
    assert (reading.leave, len(reading.found)) == (True, MOST_FOUND)
