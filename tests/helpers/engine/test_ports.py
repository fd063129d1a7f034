"""Several ports in a row."""

import itertools
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.packets import read, tcp, udp

from helpers.engine.announcing import announced, not_acted_on, said, strict, waiting
from helpers.engine.bed import CLIENT, SERVER, Bed, Connection
from helpers.engine.here import HI
from helpers.engine.scripted import always, bed_of, expected, say
from nfmasq.core.policy import Filtering, Mapping
from nfmasq.helpers.kit.base import Apart, Found


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


def pair(port: int, **more: Any) -> Found:
    """Two ports in a row, as RTP and RTCP have them."""
    return Found(0, 4, CLIENT, port, lambda _, external: b"%d" % external, "udp", consecutive=2, **more)


def row_of(bed: Bed, port: int) -> list[int]:
    """The external ports for two internal ones."""
    return [expected(bed)[each].external[1] for each in (port, port + 1)]


@pytest.mark.parametrize("port", [5000, 5001])
@pytest.mark.parametrize(
    ("mapping", "filtering"), list(itertools.product(Mapping, Filtering)), ids=lambda each: each.name.lower()
)
def test_a_pair_is_found_under_every_behaviour(mapping: Mapping, filtering: Filtering, port: int) -> None:
    """Whatever the internal ports are, the first external one is even."""
    bed = bed_of(always(pair(port)), mapping=mapping, filtering=filtering)
    say(bed, b"5000")
    first, second = row_of(bed, port)
    assert (first % 2, second) == (0, first + 1)


def test_the_only_pair_that_is_free_is_found() -> None:
    bed = bed_of(always(pair(5000)), ports=((2001, 2001), (3000, 3001), (4003, 4004), (5001, 5001)))
    Connection(bed).open().say(0, b"5000")  # TCP's ports are others, so it takes none of these
    assert row_of(bed, 5000) == [3000, 3001]


def test_a_pair_that_is_announced_again_keeps_its_ports() -> None:
    """Before its session has begun, and after."""
    bed = bed_of(always(pair(5000)), filtering=Filtering.ENDPOINT_INDEPENDENT)
    say(bed, b"5000")
    first, second = row_of(bed, 5000)
    for nth in range(2):
        say(bed, b"5000")
        assert row_of(bed, 5000) == [first, second]
        for port in (first, second):
            assert bed.send(udp(SERVER, 7000 + nth, bed.rules.addresses[0], port, b"rtp"), inbound=True)
        say(bed, b"5000")
        assert row_of(bed, 5000) == [first, second]


def test_pairs_leave_no_port_behind() -> None:
    """Two ports are given away: neither waits for its hold-down before it was ever used."""
    bed = bed_of(always(pair(5000)), filtering=Filtering.ENDPOINT_INDEPENDENT, ports=((3000, 3002),))
    Connection(bed).open().say(0, b"5000")
    assert row_of(bed, 5000) == [3000, 3001]


def test_ports_that_lie_apart_are_named_one_by_one() -> None:
    """A phone that has begun to send before it announces has mappings already, which are no row."""

    def apart(_: IPv4Address, ports: Sequence[int]) -> bytes:
        return b"and %d" % ports[1]

    helper = always(pair(5000, apart=Apart(5, 8, apart)), whole=[(0, 8)])
    bed = bed_of(helper, filtering=Filtering.ENDPOINT_INDEPENDENT)
    began = [
        read(bed.send(udp(CLIENT, port, SERVER, 6000), inbound=False)[0])[1] for port in (5001, 4999, 5000)
    ]
    assert began[2] + 1 != began[0]
    sent = say(bed, b"5000 ...")
    assert sent[0][28:] == b"%d and %d" % (began[2], began[0])
    assert row_of(bed, 5000) == [began[2], began[0]]


def test_ports_in_a_row_are_named_by_the_first() -> None:
    def apart(_: IPv4Address, ports: Sequence[int]) -> bytes:
        raise AssertionError

    bed = bed_of(always(pair(5000, apart=Apart(5, 8, apart)), whole=[(0, 8)]))
    assert say(bed, b"5000 ...")[0][28:] == b"%d ..." % row_of(bed, 5000)[0]


def test_of_ports_apart_all_are_expected_or_none() -> None:
    helper = always(pair(5000, apart=Apart(5, 8, lambda _, ports: b"x")), whole=[(0, 8)])
    bed = bed_of(helper, ports=((5001, 5001), (5003, 5003)))
    assert say(bed, b"5000 ...")[0][28:] == b"5000 ..."
    assert bed.engine.expectations() == 0


def test_four_in_a_row() -> None:
    bed = bed_of(always(pair(5000)._replace(consecutive=4)), ports=((2000, 2002), (3001, 3004), (4000, 4000)))
    Connection(bed).open().say(0, b"5000")
    assert [expected(bed)[5000 + nth].external[1] for nth in range(4)] == [3001, 3002, 3003, 3004]
