"""How a session begins: whatever is no first line of the protocol does not fit, whole or begun."""

import re

import pytest
from support.dialogues import IN, OUT

from nfmasq.helpers.kit.anchoring import ANYHOW, NEVER, Opening
from nfmasq.helpers.kit.base import Place, Side
from nfmasq.helpers.kit.dialogue import LineDialogue

HELLO = Opening((b"HELLO ", b"HOLA "), re.compile(rb"(?i:HELLO|HOLA) \w+\r?\n"))
FROM_A_CLIENT = HELLO._replace(first=re.compile(rb"(?i:HELLO|HOLA) .+\r?\n"), never_http=True)


@pytest.mark.parametrize("line", [b"H", b"he", b"HELLO ", b"HELLO there!", b"hello you\r\n", b"HOLA you\n"])
def test_what_fits(line: bytes) -> None:
    assert HELLO.fits(line)


@pytest.mark.parametrize(
    "line", [b"X", b"HEY", b"HELLOYOU", b"HELLO you!\r\n", b"HELLO\r\n", b"\r\n", b"\x16\3"]
)
def test_what_does_not(line: bytes) -> None:
    assert not HELLO.fits(line)


def test_a_script_may_choose_the_verb() -> None:
    """The remainder of the line is the browser's."""
    assert not FROM_A_CLIENT.fits(b"HELLO /x HTTP/1.1\r\n")
    assert FROM_A_CLIENT.fits(b"HELLO /x\r\n")


def test_what_has_begun_may_say_more_than_its_words() -> None:
    numbered = Opening((b"",), re.compile(rb"\d\d x\n"), begun=re.compile(rb"(?:\d(?:\d.*)?)?"))
    assert all(numbered.fits(each) for each in (b"", b"1", b"12", b"12 ", b"12 x\n"))
    assert not any(numbered.fits(each) for each in (b"x", b"1x", b"1x\n", b"12 y\n"))


def test_any_and_none() -> None:
    for line in (b"x", b"\0\r\n", b"GET / HTTP/1.1\r\n"):
        assert ANYHOW.fits(line)
        assert not NEVER.fits(line)


class Hello(LineDialogue):
    """Hears everything, and acts on nothing."""

    def __init__(self) -> None:
        super().__init__(100, openings={IN: FROM_A_CLIENT, OUT: HELLO})

    def hear(self, side: Side, at: int, line: bytes) -> list[Place]:
        return []

    def wait_from(self, side: Side, line: bytes) -> int:
        return len(line)


@pytest.mark.parametrize(
    ("said", "is_left"),
    [
        ([(IN, b"HELLO you\r\n"), (IN, b"anything\r\n")], False),
        ([(IN, b"HELLO you\r\n"), (OUT, b"HOLA you\r\n"), (OUT, b"Any: thing\r\n")], False),
        ([(IN, b"HELLO you\r\n"), (OUT, b"220 no\r\n")], True),
        ([(IN, b"HELLO you\r\nHost: evil.example\r\n")], True),
        ([(IN, b"HELLO you\r\n"), (IN, b"Host:")], True),
        ([(IN, b"HE"), (IN, b"Y")], True),
    ],
)
def test_a_dialogue_leaves_where_a_side_begins_otherwise(
    said: list[tuple[Side, bytes]], is_left: bool
) -> None:
    dialogue = Hello()
    assert [dialogue.read(side, text).leave for side, text in said][-1] is is_left
