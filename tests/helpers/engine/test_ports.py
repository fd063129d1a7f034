"""Several ports in a row."""

from support.packets import read, tcp

from helpers.engine.announcing import announced, not_acted_on, said, strict, waiting
from helpers.engine.bed import CLIENT, SERVER, Connection
from helpers.engine.here import HI


def test_two_ports_in_a_row_begin_with_an_even_one() -> None:
    bed = strict()
    address, port = announced(Connection(bed).open(), said(b"PAIR", CLIENT, 5000))
    assert port % 2 == 0
    assert waiting(bed) == 2
    for nth in (1, 0):
        assert read(bed.send(tcp(SERVER, 20, address, port + nth), inbound=True)[0])[2:] == (
            CLIENT,
            5000 + nth,
        )


def test_no_two_ports_in_a_row_are_no_room() -> None:
    bed = strict(ports=((5001, 5001),))
    line = said(b"PAIR", CLIENT, 5000)
    assert Connection(bed).open().say(0, HI + line) == HI + line
    assert not_acted_on(bed) == {"no_room": 1}
    assert waiting(bed) == 0
