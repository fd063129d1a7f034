"""Replies by codes: in one line, in several, with lines between that look like another's."""

import pytest

from nfmasq.helpers.kit.replies import Replies

SAID = [
    (b"220 Hi\r\n", (b"220", 4, True)),
    (b"200\r\n", (b"200", 3, True)),
    (b"what\r\n", (b"", 0, False)),
    (b"227-first\r\n", (b"227", 4, False)),
    (b" between\r\n", (b"227", 0, False)),
    (b"227-again\r\n", (b"227", 4, False)),
    (b"226 another's\r\n", (b"227", 4, False)),
    (b"2270 none\r\n", (b"227", 0, False)),
    (b"227 last\r\n", (b"227", 4, True)),
    (b"150 next\n", (b"150", 4, True)),
    (b"600 x\r\n", (b"", 0, False)),
]


def test_each_line_has_the_code_of_its_reply() -> None:
    replies = Replies()
    assert [replies.hear(line) for line, _ in SAID] == [meant for _, meant in SAID]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (b"2", (b"", 0)),
        (b"227", (b"", 0)),
        (b"227 ", (b"227", 4)),
        (b"227-x", (b"227", 4)),
        (b"2270", (b"", 0)),
    ],
)
def test_a_line_that_has_begun(line: bytes, meant: tuple[bytes, int]) -> None:
    replies = Replies()
    assert replies.begun(line) == meant
    replies.hear(b"229-several\r\n")
    assert replies.begun(line) == (b"229", 0)
