"""Which ports the helper finds in a player's first two messages, and in nothing else."""

from pathlib import Path

import pytest

from helpers.protocols.played import play, to_port
from nfmasq.helpers.kit.base import Found, Place, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.vdolive import CONTEXT, MOST_READ, Vdolive

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "vdolive" / "captures"


def first(port: int, rest: bytes = bytes(20)) -> bytes:
    """A player's first message."""
    return b"\0\0\0\x38\0\0\0\6" + bytes(16) + b"VDO Live" + port.to_bytes(4) + rest


def second(port: int, rest: bytes = bytes(12)) -> bytes:
    """A player's second message."""
    return b"\0\0\0\x20\0\0\0\1VDO Live" + port.to_bytes(4) + rest


def ports(places: list[Place]) -> list[tuple[int, bool]]:
    """The ports that were found, and whether each was named before."""
    for each in places:
        assert isinstance(each, Found)
        assert (each.transport, each.address, each.anyone, each.ends_with_control) == (
            "udp", None, False, True,
        )  # fmt: skip
    return [(each.port, each.reuse) for each in places if isinstance(each, Found)]


def heard(*texts: bytes, side: Side = INSIDE, inside_began: bool = True) -> Listener:
    """A dialogue that has heard this from one side."""
    return Listener(Vdolive(), inside_began).hear_all([(side, text) for text in texts])


def found(listener: Listener) -> list[tuple[int, bool]]:
    """The ports that a dialogue has found."""
    return ports([place.what for place in listener.places])


BOTH = [(7001, False), (7001, True)]


def test_the_ports_of_a_capture_are_found_in_their_frames() -> None:
    read, _ = play(CAPTURES / "made-two-messages.pcap", Vdolive, to_port(7000))
    assert {number: ports(places) for number, places in read.items()} == {4: BOTH[:1], 8: BOTH[1:]}


def test_the_second_message_may_be_anywhere_behind_the_first() -> None:
    for between in (b"", bytes(1), bytes(CONTEXT), b"\0\0\0\1VDO", b"VDO Live" * 9):
        assert found(heard(first(7001, between) + second(7001))) == BOTH


def test_it_may_name_another_port() -> None:
    assert found(heard(first(7001), second(7003))) == [(7001, False), (7003, False)]


@pytest.mark.parametrize("cut", range(1, 88))
def test_however_it_is_cut_only_the_port_waits(cut: int) -> None:
    """A message's last bytes are zeros, as a tag's first ones are: they must not wait for more."""
    both = first(7001) + second(7001)
    listener = heard(both[:cut])
    assert len(listener.waiting[INSIDE]) < 4
    listener.hear(INSIDE, both[cut:])
    assert (found(listener), listener.waiting[INSIDE]) == (BOTH, b"")


def test_a_port_is_no_more_than_16_bits() -> None:
    listener = heard(first(0x10000 + 7001), second(7001))
    assert (found(listener), listener.not_acted_on) == ([(7001, False)], ["malformed"])


def test_nothing_of_the_server_nor_of_a_player_outside_is_read() -> None:
    for began in (True, False):
        listener = heard(b"x" * 60000, first(7001), side=OUTSIDE, inside_began=began)
        assert (listener.places, listener.left) == ([], False)
    assert heard(first(7001), inside_began=False).places == []


@pytest.mark.parametrize(
    "before",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        second(7001),
        b"\0\0\0\x38\0\0\0\7",
        b"\0\0\0\6" + bytes(4),
    ],
)
def test_what_begins_otherwise_is_never_read(before: bytes) -> None:
    """Of a page in a browser, too, whose next segment is a player's message."""
    listener = heard(before, first(7001))
    assert (listener.places, listener.left) == ([], True)


def test_what_is_searched_and_remembered_is_bounded() -> None:
    listener = heard(first(7001), *[b"\0\0\0\1VDO Liv" * 100] * 9)
    assert len(listener._dialogue._before) <= CONTEXT
    assert found(heard(first(7001), bytes(MOST_READ), second(7001))) == BOTH[:1]
    assert len(heard(first(7001) + second(7001) * 5000).places) == 2
