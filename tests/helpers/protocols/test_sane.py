"""The port in a scanner's answer to START, of a real capture and of hosts that mean harm."""

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.packets import SYN, tcp
from support.router import CLIENT, OTHER_SERVER, SERVER

from helpers.engine.announcing import not_acted_on
from helpers.engine.bed import Bed
from helpers.protocols.ends import Ends, bed_of, expected
from nfmasq.helpers.kit.base import Found, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.sane import MOST_ASKED, MOST_ITEMS, Sane, SaneDialogue

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURE = Path(__file__).parent / "sane" / "captures" / "rec-scan.pcap"
ORDER = 0x1234


def words(*numbers: int) -> bytes:
    """Words of 32 bits."""
    return struct.pack(f"!{len(numbers)}I", *numbers)


def text(said: bytes) -> bytes:
    """A text with its NUL."""
    return words(len(said) + 1) + said + b"\0"


NOTHING = words(0)
GREETING = ((OUT, words(0, 0x01010003) + text(b"ann")), (IN, words(0, 0x01010003)))
OPENED = (*GREETING, (OUT, words(2) + text(b"test:0")), (IN, words(0, 0) + NOTHING))
START = words(7, 0)


def answer(port: int, status: int = 0, resource: bytes = NOTHING) -> bytes:
    """The answer to START."""
    return words(status, port, ORDER) + resource


def ports(*said: tuple[Side, bytes], begun: tuple[tuple[Side, bytes], ...] = OPENED) -> list[int]:
    """What is announced."""
    listener = Listener(Sane(), False).hear_all([*begun, *said])
    return [each.what.port for each in listener.places if isinstance(each.what, Found)]


def scanner(bed: Bed | None = None, far: IPv4Address = SERVER) -> Ends:
    """A scanner inside whose device a client has opened."""
    ends = Ends(bed or bed_of(Sane(), server_inside=True), "tcp", far=far)
    for side, said in OPENED:
        assert ends.say(side, said) == said
    return ends


def test_a_real_scan_has_one_port() -> None:
    read = heard(Sane(), CAPTURE, None, server_inside=True)
    assert read.places == [(53, "Found", "", 10000)]
    assert read.left == 0


def test_a_scanner_outside_is_left_alone() -> None:
    read = heard(Sane(), CAPTURE, None, server_inside=False)
    assert (read.places, read.left) == ([], 2)


def test_the_client_is_told_the_external_port_and_let_in() -> None:
    ends = scanner()
    ends.say(OUT, START)
    told = ends.say(IN, answer(10000))
    now = expected(ends.bed)[10000]
    assert told == answer(now[1])
    (syn,) = ends.bed.send(tcp(SERVER, 50000, *now, SYN), inbound=True)
    assert (syn[16:20], int.from_bytes(syn[22:24])) == (CLIENT.packed, 10000)


def test_the_same_port_for_each_page_keeps_its_external_one() -> None:
    ends = scanner()
    told = set()
    for _ in range(5):
        ends.say(OUT, START)
        told.add(ends.say(IN, answer(10000)))
    assert told == {answer(expected(ends.bed)[10000][1])}


def test_two_clients_at_once_with_equal_ports() -> None:
    one = scanner()
    other = scanner(one.bed, far=OTHER_SERVER)
    told = set()
    for each in (one, other):
        each.say(OUT, START)
        told.add(each.say(IN, answer(10000)))
    rows = [row for row in one.bed.table.sessions() if row.state == "expected"]
    assert {row.remote[0] for row in rows} == {SERVER, OTHER_SERVER}
    assert told == {answer(row.external[1]) for row in rows}


@pytest.mark.parametrize("port", [1, 631, 1023])
def test_a_port_below_1024_stays_and_is_counted(port: int) -> None:
    ends = scanner()
    ends.say(OUT, START)
    assert ends.say(IN, answer(port)) == answer(port)
    assert (expected(ends.bed), not_acted_on(ends.bed, "sane")) == ({}, {"privileged": 1})


def test_a_scanner_that_cannot_start_announces_nothing() -> None:
    assert ports((OUT, START), (IN, answer(0, status=7)), (OUT, START), (IN, answer(10000))) == [10000]


def test_a_user_that_must_show_a_password_is_answered_once_more() -> None:
    asked = (OUT, words(9) + text(b"scanner") + text(b"ann") + text(b"secret"))
    locked = (IN, answer(0, 11, text(b"scanner")))
    assert ports((OUT, START), locked, asked, (IN, NOTHING + answer(10000))) == [10000]
    opening = (
        (OUT, words(2) + text(b"test:0")), (IN, words(11, 0) + text(b"scanner")),
        asked, (IN, NOTHING + words(0, 0) + NOTHING),
    )  # fmt: skip
    assert ports(*opening, (OUT, START), (IN, answer(10000)), begun=GREETING) == [10000]


OPTION = (
    words(0) + text(b"mode") + text(b"Mode") + text(b"Colours") + words(3, 0, 10, 5)
    + words(3, 3) + text(b"Gray") + text(b"Color") + NOTHING
)  # fmt: skip
RANGE = words(0) + text(b"x") + text(b"X") + text(b"") + words(2, 3, 4, 5) + words(1, 0, 0, 100, 1)
LIST = words(0) + text(b"dpi") + NOTHING + NOTHING + words(1, 4, 4, 5) + words(2, 3, 2, 100, 200)
FREE = words(0) + text(b"d") + text(b"D") + NOTHING + words(2, 3, 4, 5, 0)
NO_OPTION = words(1)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (words(1), words(0, 2, 0) + text(b"a:0") + text(b"b") + text(b"c") + text(b"d") + words(1)),
        (words(4, 0), words(5) + NO_OPTION + OPTION + RANGE + LIST + FREE),
        (words(4, 0), NOTHING),
        (words(5, 0, 2, 1, 3, 5) + text(b"Gray"), words(0, 4, 3, 5) + text(b"Gray") + NOTHING),
        (words(5, 0, 2, 0, 1, 8, 2, 0, 0), words(0, 4, 1, 8, 2, 5, 6) + NOTHING),
        (words(5, 0, 2, 1, 4, 0, 0), words(0, 4, 4, 0, 0) + NOTHING),
        (words(5, 0, 2, 2), words(0, 4, 1, 4, 1, 5) + NOTHING),
        (words(6, 0), words(0, 1, 1, 39, 39, 39, 8)),
        (words(8, 0), NOTHING),
        (words(3, 0), NOTHING),
    ],
    ids=[
        "devices",
        "options",
        "none",
        "text",
        "words",
        "button",
        "automatic",
        "parameters",
        "cancel",
        "close",
    ],
)
def test_the_answer_to_start_is_found_behind_every_other(asked: bytes, answered: bytes) -> None:
    """A port before it, that looks like one, is none."""
    assert ports((OUT, asked), (IN, answered), (OUT, START), (IN, answer(10000))) == [10000]
    assert ports((OUT, asked + START), (IN, answered + answer(10000))) == [10000]


def test_what_a_client_has_a_scanner_say_is_no_answer_to_start() -> None:
    """It asks for an option whose text looks like an answer, and sends START behind it."""
    shown = answer(22222)
    asked = words(5, 0, 2, 0, 3, len(shown), len(shown)) + shown
    answered = words(0, 0, 3, len(shown), len(shown)) + shown + NOTHING
    for cut in range(len(answered)):
        assert ports((OUT, asked), (IN, answered[:cut]), (OUT, START), (IN, answered[cut:])) == []


def test_only_the_port_waits() -> None:
    listener = Listener(Sane(), False).hear_all([*OPENED, (OUT, START)])
    said = answer(10000)
    for cut in range(len(said)):
        listener.hear(IN, said[cut : cut + 1])
        assert len(listener.waiting[IN]) == (cut - 3 if cut in {4, 5, 6} else 0)


@pytest.mark.parametrize(
    "said",
    [
        [(OUT, b"POST / HTTP/1.1\r\n")],
        [(OUT, words(7, 0))],
        [(OUT, words(11))],
        [(IN, NOTHING)],
        [*GREETING, (OUT, words(0, 0x01010003) + NOTHING)],
        [*GREETING, (IN, NOTHING)],
        [*GREETING, (OUT, START * (MOST_ASKED + 1))],
        [*GREETING, (OUT, words(4, 0)), (IN, words(MOST_ITEMS + 1))],
        [*GREETING, (OUT, words(1)), (IN, words(0, MOST_ITEMS + 1))],
        [*OPENED, (OUT, words(4, 0)), (IN, words(1, 0) + NOTHING * 3 + words(3, 0, 0, 0, 3, MOST_ITEMS + 1))],
    ],
    ids=repr,
)
def test_anything_else_is_left(said: list[tuple[Side, bytes]]) -> None:
    listener = Listener(Sane(), False).hear_all([*said, *OPENED, (OUT, START), (IN, answer(10000))])
    assert (listener.places, listener.left) == ([], True)


def test_a_text_of_four_gigabytes_passes() -> None:
    listener = Listener(Sane(), False).hear_all([(OUT, words(0, 3, 0xFFFFFFFF)), (OUT, b"x" * 100_000)])
    assert isinstance(listener._dialogue, SaneDialogue)
    assert (listener.left, listener.waiting[OUT], listener._dialogue._begun[OUT]) == (False, b"", b"")
