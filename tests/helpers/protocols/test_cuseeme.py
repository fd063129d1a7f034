"""Which addresses of a datagram are the inside's own to be rewritten, in both directions."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.captures import Frame

from helpers.protocols.played import play
from nfmasq.helpers.kit.base import Mentioned, Named, Place, Side
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, REMOTE, Listener
from nfmasq.helpers.kit.rewriting import rewritten
from nfmasq.helpers.protocols.cuseeme import MOST_PARTICIPANTS, OPEN_CONTINUE, Cuseeme

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
CAPTURE = Path(__file__).parent / "cuseeme" / "captures" / "made-opencontinue.pcap"
NONE = IPv4Address("0.0.0.0")
VIDEO = 1


def datagram(
    receiver: tuple[IPv4Address, int],
    sender: tuple[IPv4Address, int],
    kind: int = OPEN_CONTINUE,
    *entries: IPv4Address,
    count: int = 1,
) -> bytes:
    """A datagram as it is sent."""
    ends = b"".join(b"\0\2" + port.to_bytes(2) + own.packed for own, port in (receiver, sender))
    head = ends + b"\0\0\0\1\0\0" + kind.to_bytes(2) + b"\0\x1a"
    if kind != OPEN_CONTINUE:
        return head + b"picture " * 9
    return head + count.to_bytes(2) + bytes(28) + b"".join(each.packed + bytes(8) for each in entries)


def places(side: Side, data: bytes) -> list[tuple[int, int, IPv4Address | None, int]]:
    """Where something was found: its span, and what is written there."""
    listener = Listener(Cuseeme(), inside_began=True).hear_all([(side, data)])
    assert not listener.left
    return [_fact(side, place.what) for place in listener.places]


def _fact(side: Side, what: Place) -> tuple[int, int, IPv4Address | None, int]:
    assert isinstance(what, Named if side is INSIDE else Mentioned)
    return what.start, what.end, what.address, what.port


def test_the_inside_names_itself_as_sender_and_in_the_list() -> None:
    said = datagram((REMOTE, 7648), (INTERNAL, 7648), OPEN_CONTINUE, REMOTE, INTERNAL)
    assert places(INSIDE, said) == [
        (10, 12, INTERNAL, 7648), (12, 16, INTERNAL, 0), (56, 60, REMOTE, 0), (68, 72, INTERNAL, 0),
    ]  # fmt: skip


def test_the_outside_names_us_as_receiver_and_in_the_list() -> None:
    said = datagram((EXTERNAL, 7650), (REMOTE, 7648), OPEN_CONTINUE, EXTERNAL)
    assert places(OUTSIDE, said) == [(2, 4, EXTERNAL, 7650), (4, 8, EXTERNAL, 0), (56, 60, EXTERNAL, 0)]


def test_other_types_have_no_list() -> None:
    said = datagram((EXTERNAL, 7648), (REMOTE, 7648), VIDEO)
    assert places(OUTSIDE, said) == [(2, 4, EXTERNAL, 7648), (4, 8, EXTERNAL, 0)]


def test_what_is_written_is_as_long_as_before() -> None:
    said = [(INSIDE, datagram((REMOTE, 7648), (INTERNAL, 7648), OPEN_CONTINUE, INTERNAL))]
    listener = Listener(Cuseeme(), inside_began=True, port=7648).hear_all(said)
    ((_, text),) = rewritten(said, listener, (EXTERNAL, 50000))
    assert text == datagram((REMOTE, 7648), (EXTERNAL, 50000), OPEN_CONTINUE, EXTERNAL)


@pytest.mark.parametrize("count", [0, 1, 256, 65535])
def test_the_list_ends_with_the_datagram_whatever_the_count_says(count: int) -> None:
    said = datagram((REMOTE, 7648), (INTERNAL, 7648), OPEN_CONTINUE, INTERNAL, INTERNAL, count=count)
    assert len(places(INSIDE, said)) == 4
    assert len(places(INSIDE, said[:-1])) == 3
    assert len(places(INSIDE, said[:55])) == 2


def test_a_datagram_that_is_too_short_has_no_addresses() -> None:
    said = datagram((REMOTE, 7648), (INTERNAL, 7648), VIDEO)
    for length in range(26):
        assert places(INSIDE, said[:length]) == []
    assert len(places(INSIDE, said[:26])) == 2


def test_a_list_without_end_is_read_to_a_bound() -> None:
    said = datagram((REMOTE, 7648), (INTERNAL, 7648), OPEN_CONTINUE, *[INTERNAL] * 5000)
    assert len(places(INSIDE, said)) == 2 + MOST_PARTICIPANTS


def test_the_addresses_of_a_capture_are_found_in_their_frames() -> None:
    own, ours = IPv4Address("192.168.77.10"), IPv4Address("198.51.100.7")
    reflector = IPv4Address("203.0.113.20")

    def is_inside(frame: Frame) -> bool:
        return frame.source == own

    read, _ = play(CAPTURE, Cuseeme, is_inside)
    found = {
        number: [(each.start, each.address) for each in there if isinstance(each, Named | Mentioned)]
        for number, there in read.items()
    }
    sender, receiver = [(10, own), (12, own)], [(2, ours), (4, ours)]
    assert found == {
        1: [*sender, (56, reflector)],
        2: [*receiver, (56, IPv4Address("203.0.113.30")), (68, ours), (80, IPv4Address("203.0.113.31"))],
        3: sender,
        4: sender,
        5: sender,
        6: [(10, NONE), (12, NONE)],
        7: [*receiver, (56, ours)],
        8: receiver,
    }
