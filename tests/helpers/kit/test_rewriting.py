"""An example rewritten for the contract test: every place is written, wherever the texts are cut."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from support.dialogues import IN, OUT

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.kit.listener import Broken, Listener
from nfmasq.helpers.kit.rewriting import rewritten
from nfmasq.helpers.kit.skeleton import Meet

GREETING = ((IN, b"HELLO\r\n"), (OUT, b"HELLO\r\n"))
OTHER = IPv4Address("9.0.0.1"), 1024


def heard(*said: bytes) -> list[bytes]:
    """What the far side hears of these texts of the inside, with OTHER in every place."""
    example = [*GREETING, *((IN, text) for text in said)]
    return [text for _, text in rewritten(example, Listener(Meet(), True).hear_all(example), OTHER)][2:]


def test_every_place_of_a_text_is_written() -> None:
    assert heard(b"MEET 192.168.1.10 5000\r\nMEET 192.168.1.10 5001\r\nBYE\r\n") == [
        b"MEET 9.0.0.1 1024\r\nMEET 9.0.0.1 1024\r\nBYE\r\n"
    ]


def test_a_place_in_several_texts_is_written_where_it_begins() -> None:
    assert heard(b"BYE\r\nMEET 192.168.", b"1.10 50", b"00\r\nBYE\r\n") == [
        b"BYE\r\nMEET 9.0.0.1 1024",
        b"",
        b"\r\nBYE\r\n",
    ]


def test_the_other_side_s_text_stays() -> None:
    """Its bytes are counted by themselves."""
    example = [*GREETING, (OUT, b"x" * 20 + b"\r\n"), (IN, b"MEET 192.168.1.10 5000\r\n")]
    changed = rewritten(example, Listener(Meet(), True).hear_all(example), OTHER)
    assert changed[2:] == [example[2], (IN, b"MEET 9.0.0.1 1024\r\n")]


def refuse(*_: object) -> bytes:
    """Write nothing: the endpoint has no place in the protocol."""
    raise NotActedOn("too_long")


@pytest.mark.parametrize(
    ("write", "complaint"),
    [(lambda *_: 1 // 0, "raises ZeroDivisionError"), (lambda *_: "text", "must return bytes")],
)
def test_a_write_that_fails_breaks_the_contract(write: Any, complaint: str) -> None:
    with pytest.raises(Broken, match=complaint):
        written(write)


def test_a_place_whose_write_refuses_keeps_its_text() -> None:
    assert written(refuse) == b"MEET 192.168.1.10 5000\r\n"


def written(write: Any) -> bytes:
    """What the far side hears of a line, where the helper writes so."""
    example = [*GREETING, (IN, b"MEET 192.168.1.10 5000\r\n")]
    listener = Listener(Meet(), True).hear_all(example)
    listener.places = [place._replace(what=place.what._replace(write=write)) for place in listener.places]
    return rewritten(example, listener, OTHER)[-1][1]
