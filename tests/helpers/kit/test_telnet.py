"""Telnet commands before a line are skipped, however the stream is cut."""

import pytest

from nfmasq.helpers.kit.telnet import TelnetSpeech

STREAM = b"\xff\xf4\xff\xf2ABOR\r\n\xff\xfb\x01PORT\r\nSITE \xff\xf4x\r\n\xff\xff\r\n"
LINES = [b"ABOR\r\n", b"PORT\r\n", b"SITE \xff\xf4x\r\n", b"\xff\xff\r\n"]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 100])
def test_lines_begin_behind_the_commands(length: int) -> None:
    speech, lines = TelnetSpeech(100), list[bytes]()
    for at in range(0, len(STREAM), length):
        piece = STREAM[at : at + length]
        cut, begun = speech.cut(piece)
        lines += [line for _, line in cut]
        assert speech.take(piece, begun, len) == len(piece)
    assert lines == LINES


def test_where_a_line_begins() -> None:
    assert TelnetSpeech(100).cut(b"\xff\xf4A\r\n\xff\xf2B") == ([(2, b"A\r\n")], (7, b"B"))


def test_a_command_that_has_begun_stays() -> None:
    for begun in (b"\xff", b"\xff\xfb"):
        assert TelnetSpeech(100).cut(b"A\n" + begun)[1] == (2, begun)
