"""Streams cut into lines: each whole line is given once, and no more bytes wait than a dialogue asks for."""

from nfmasq.helpers.kit.lines import Speech


def nothing(line: bytes) -> int:
    """Hold nothing back."""
    return len(line)


def test_lines_are_given_whole_with_their_place() -> None:
    """However much of them went on its way before."""
    speech = Speech(longest=100)
    lines, begun = speech.cut(b"one\r\ntwo\nthr")
    assert (lines, begun) == ([(0, b"one\r\n"), (5, b"two\n")], (9, b"thr"))
    assert speech.take(b"one\r\ntwo\nthr", begun, nothing) == 12
    assert speech.cut(b"ee\nfour") == ([(-3, b"three\n")], (3, b"four"))


def test_what_is_held_back_is_given_again() -> None:
    """From the byte on that was named."""
    speech = Speech(longest=100)
    _, begun = speech.cut(b"MEET 1.2")
    assert speech.take(b"MEET 1.2", begun, lambda _: 5) == 5
    assert speech.cut(b"1.2.3\n") == ([(-5, b"MEET 1.2.3\n")], (6, b""))


def test_what_went_on_its_way_is_not_called_back() -> None:
    """Even if it is asked for later."""
    speech = Speech(longest=100)
    _, begun = speech.cut(b"MEET")
    assert speech.take(b"MEET", begun, nothing) == 4
    _, begun = speech.cut(b" 1")
    assert speech.take(b" 1", begun, lambda _: 0) == 0
    assert speech.cut(b" 1\n") == ([(-4, b"MEET 1\n")], (3, b""))


def test_a_line_that_is_too_long_is_seen_whole_or_begun() -> None:
    """The lines before it are given; cutting makes no difference."""
    for pieces in ([b"a\nbbbbb\nc\n"], [b"a\n", b"bb", b"bbb", b"\n"], [b"a\n", b"bbbb", b"b"]):
        speech, given = Speech(longest=4), []
        for piece in pieces:
            lines, begun = speech.cut(piece)
            given += [line for _, line in lines]
            speech.take(piece, begun, nothing)
        assert (given, speech.overrun) == ([b"a\n"], True)
    speech = Speech(longest=4)
    speech.cut(b"bbb\nbbbb")
    assert not speech.overrun
