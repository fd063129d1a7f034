"""Datagram by datagram: each is read whole and by itself."""

import pytest
from support.packets import sums_are_right, udp

from helpers.engine.announcing import said, strict, waiting
from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, SERVER, Bed, counted, datagram
from helpers.engine.here import HERE
from helpers.engine.scripted import always, bed_of
from nfmasq._fastpath import finish
from nfmasq.helpers.kit.base import Named


def test_a_helper_of_datagrams(bed: Bed) -> None:
    (sent,) = datagram(bed, HERE)
    assert sums_are_right(sent)
    assert str(CLIENT).encode() not in sent
    assert datagram(bed, b"plain")[0].endswith(b"plain")
    assert datagram(bed, b"RAISE\r\n")[0].endswith(b"RAISE\r\n")
    assert datagram(bed, HERE)[0].endswith(HERE)
    assert (counted(bed, "echo").errors, counted(bed, "echo").rewritten) == (1, 1)


def test_udp_announces_too() -> None:
    bed = strict()
    (sent,) = datagram(bed, said(b"HERE", CLIENT, 5000))
    assert str(CLIENT).encode() not in sent
    assert waiting(bed) == 1


@pytest.mark.parametrize("dont_fragment", [0x40, 0])
@pytest.mark.parametrize("room", [0, 700])
def test_a_datagram_that_grows_may_be_cut_up(room: int, dont_fragment: int) -> None:
    """Every path takes 576 bytes, so a shorter one keeps its DF, and its identification with it."""
    bed = bed_of(always(Named(0, 4, CLIENT, lambda address, port: b"x" * 100)))
    packet = bytearray(udp(CLIENT, NEAR_PORT, SERVER, PORT, b"name" + bytes(room)))
    packet[4:8] = b"\x12\x34" + bytes([dont_fragment, 0])
    finish(packet)
    (sent,) = bed.send(bytes(packet), inbound=False)
    assert sums_are_right(sent)
    assert len(sent) == len(packet) + 96
    assert sent[6] == (0 if room else dont_fragment)


def test_places_of_any_length_are_written_where_they_stand() -> None:
    longer, shorter = Named(1, 3, CLIENT, lambda *_: b"longer"), Named(4, 8, CLIENT, lambda *_: b"s")
    bed = bed_of(always(longer, shorter, Named(8, 9, CLIENT, lambda *_: b"next")))
    (sent,) = datagram(bed, b"<ab|cdef.>")
    assert sent.endswith(b"<longer|snext>")
    assert sums_are_right(sent)


def test_a_session_that_its_helper_left_is_let_go() -> None:
    bed = bed_of(always(leave=True))
    assert datagram(bed, b"anything")
    assert len(bed.table.let) == 1


def test_a_session_that_is_read_is_not_let_go() -> None:
    bed = bed_of(always())
    assert datagram(bed, b"anything")
    assert not bed.table.let
