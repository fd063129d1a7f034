"""Datagram by datagram: each is read whole and by itself."""

from support.packets import sums_are_right

from helpers.engine.announcing import said, strict, waiting
from helpers.engine.bed import CLIENT, Bed, counted, datagram
from helpers.engine.here import HERE


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
