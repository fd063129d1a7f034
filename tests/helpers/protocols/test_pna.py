"""Which ports the helper finds when a player's connection begins, and what ends its reading."""

import struct
from pathlib import Path

import pytest

from helpers.protocols.played import play, to_port
from nfmasq.helpers.kit.base import Found, Place, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.pna import MOST_OPTIONS, Pna

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "pna" / "captures"
BEGIN = b"PNA\0\x0a"


def option(number: int, value: bytes) -> bytes:
    """An option as it is written."""
    return struct.pack("!HH", number, len(value)) + value


def port(number: int, value: int) -> bytes:
    """An option that names a port."""
    return option(number, value.to_bytes(2))


END = b"\0\0"
ASKED = BEGIN + option(2, b"Win16") + port(1, 6970) + port(7, 6972) + option(3, b"/a.ra")


def ports(places: list[Place]) -> list[int]:
    """The ports that were found, each as it has to be."""
    for each in places:
        assert isinstance(each, Found)
        assert (each.transport, each.address, each.anyone, each.ends_with_control) == (
            "udp", None, False, True,
        )  # fmt: skip
    return [each.port for each in places if isinstance(each, Found)]


def heard(*texts: bytes, side: Side = INSIDE, inside_began: bool = True) -> Listener:
    """A dialogue that has heard this from one side."""
    return Listener(Pna(), inside_began).hear_all([(side, text) for text in texts])


def found(listener: Listener) -> list[int]:
    """The ports that a dialogue has found."""
    return ports([place.what for place in listener.places])


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("made-udp-robust.pcap", {4: [6970, 6972]}),
        ("made-option-past-end.pcap", {4: [6990]}),
        ("made-version-300.pcap", {}),
    ],
)
def test_the_ports_of_a_capture_are_found_in_their_frames(name: str, there: dict[int, list[int]]) -> None:
    read, _ = play(CAPTURES / name, Pna, to_port(7070))
    assert {number: ports(places) for number, places in read.items()} == there


def test_the_helper_leaves_behind_the_options() -> None:
    """What follows may be the sound itself."""
    assert not heard(ASKED).left
    assert heard(ASKED + END + b"...").left
    assert found(heard(ASKED + END + port(1, 7000))) == [6970, 6972]


@pytest.mark.parametrize("cut", range(1, len(ASKED)))
def test_however_it_is_cut_only_a_port_waits(cut: int) -> None:
    listener = heard(ASKED[:cut])
    assert len(listener.waiting[INSIDE]) < 6
    listener.hear(INSIDE, ASKED[cut:])
    assert (found(listener), listener.waiting[INSIDE]) == ([6970, 6972], b"")


def test_port_0_names_none_and_a_port_has_two_bytes() -> None:
    assert found(heard(BEGIN + port(1, 0) + port(7, 5000))) == [5000]
    assert found(heard(BEGIN + option(1, b"\x1b") + option(7, b"\x1b\x3a\0\0") + port(1, 5000))) == [5000]


def test_of_a_server_inside_the_port_of_its_own_is_found_and_nothing_of_the_player() -> None:
    assert found(heard(BEGIN + port(1, 5000) + port(7, 5002), inside_began=False)) == [5002]
    assert found(heard(ASKED, side=OUTSIDE, inside_began=False)) == []


def test_nothing_of_a_server_outside_is_read() -> None:
    """Sound over the connection itself may come from its first byte on."""
    listener = heard(b"\xff" * 60000, BEGIN + port(7, 5002), side=OUTSIDE)
    assert (listener.places, listener.left, listener.waiting[OUTSIDE]) == ([], False, b"")


@pytest.mark.parametrize(
    "before",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
        b"PNA / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0",
        b"\0",
        b"PNA\x01\x2c",
        b"PN\r\n",
        b"pna\0\x0a",
    ],
)
def test_what_begins_otherwise_is_never_read(before: bytes) -> None:
    """Of a page in a browser, too, whose next segment begins with PNA."""
    listener = heard(before, ASKED)
    assert (listener.places, listener.left) == ([], True)


def test_options_without_end_end_the_helper() -> None:
    assert not heard(BEGIN + option(2, b"") * MOST_OPTIONS).left
    assert heard(BEGIN + option(2, b"") * (MOST_OPTIONS + 1)).left
    assert found(heard(BEGIN + port(1, 5000) * 10000)) == [5000]
