"""Streams of messages: header lines are heard, bodies and frames are not, however the stream is cut."""

import random

import pytest

from nfmasq.helpers.kit.messages import MOST_FRAMES, MessageSpeech

STREAM = (
    b"\r\nA x\r\nContent-Length: 9\r\nB: b\r\n\r\nline\nline"
    b"$\0\0\x06Z y\n\n\n$\x01\0\0"
    b"C x\r\ncontent-length:\r\n\t 3\r\n\r\n$\r\n"
    b"D x\n\nE x\r\n\r\n"
)
LINES = [
    b"A x\r\n", b"Content-Length: 9\r\n", b"B: b\r\n", b"\r\n",
    b"C x\r\n", b"content-length:\r\n\t 3\r\n", b"\r\n", b"D x\n", b"\n", b"E x\r\n", b"\r\n",
]  # fmt: skip


def heard(pieces: list[bytes], longest: int = 100) -> tuple[list[bytes], bool]:
    """The lines of a stream that comes in pieces; whether it was overrun. All bytes go at once."""
    speech, lines = MessageSpeech(longest), list[bytes]()
    for piece in pieces:
        cut, begun = speech.cut(piece)
        lines += [line for _, line in cut]
        assert speech.take(piece, begun, len) == len(piece)
    return lines, speech.overrun


def test_whole() -> None:
    assert heard([STREAM]) == (LINES, False)


def test_byte_by_byte_and_cut_anywhere() -> None:
    assert heard([bytes([byte]) for byte in STREAM]) == (LINES, False)
    chance = random.Random(7826)
    for _ in range(200):
        at = sorted(chance.sample(range(len(STREAM)), 3))
        pieces = [STREAM[: at[0]], STREAM[at[0] : at[1]], STREAM[at[1] : at[2]], STREAM[at[2] :]]
        assert heard(pieces) == (LINES, False)


def test_where_a_line_begins() -> None:
    speech = MessageSpeech(100)
    assert speech.cut(b"A x\r\nB") == ([(0, b"A x\r\n")], (5, b"B"))
    speech.take(b"A x\r\nB", (5, b"B"), len)
    assert speech.cut(b": c\r\nC") == ([(-1, b"B: c\r\n")], (5, b"C"))


def test_a_header_ends_where_the_next_line_begins() -> None:
    """Not sooner: a fold may come. First lines and empty ones have no folds."""
    speech = MessageSpeech(100)
    assert speech.cut(b"A x\r\n") == ([(0, b"A x\r\n")], (5, b""))
    speech.take(b"A x\r\n", (5, b""), len)
    assert speech.cut(b"B: b\r\n") == ([], (0, b"B: b\r\n"))
    speech.take(b"B: b\r\n", (0, b"B: b\r\n"), len)
    assert speech.cut(b" c\n\td\r\n \r\n\r\n") == (
        [(-6, b"B: b\r\n c\n\td\r\n \r\n"), (10, b"\r\n")],
        (12, b""),
    )


def test_a_line_that_some_programs_take_for_an_empty_one() -> None:
    assert heard([b"A x\r\nB: b\r\n\r\r\nC x\r\n"])[1]


def test_a_header_with_its_folds_has_a_bound() -> None:
    assert heard([b"A x\r\nB: b\r\n" + b" c\r\n" * 40])[1]
    assert heard([b"A x\r\nB: b\r\n", *[b" c\r\n"] * 40])[1]
    assert not heard([b"A x\r\nB: b\r\n" + b" c\r\n" * 15])[1]


def test_no_frame_before_the_first_message() -> None:
    assert heard([b"$\0\0\x01xA x\r\n\r\n"])[0] == [b"$\0\0\x01xA x\r\n", b"\r\n"]


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: x",
        b"Content-Length:",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 1 2",
    ],
)
def test_a_length_that_says_nothing(headers: bytes) -> None:
    assert heard([b"A x\r\n" + headers + b"\r\n\r\n"])[1]


def test_the_same_length_twice() -> None:
    assert heard([b"A x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nxB x\r\n"])[0][-1] == b"B x\r\n"


def test_lines_that_are_too_long_or_too_many() -> None:
    assert heard([b"A" * 101])[1]
    assert heard([b"A" * 101 + b"\n"])[1]
    assert heard([b"A\n" * 600])[1]
    assert not heard([b"A\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000])[1]


def test_more_frames_than_media_have() -> None:
    assert heard([b"A x\r\n\r\n" + b"$\0\0\1x" * (MOST_FRAMES + 1)])[1]
    assert not heard([b"A x\r\n\r\n", *[b"$\0\0\1x"] * (MOST_FRAMES + 1)])[1]
