"""Several ports in a row."""

import itertools
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

import pytest
from hot.test_expectations import control, helped
from support.packets import UDP, read, tcp, udp
from support.router import EXTERNAL, OTHER_CLIENT, OTHER_EXTERNAL, OTHER_SERVER, Router

from helpers.engine.announcing import announced, not_acted_on, said, strict, waiting
from helpers.engine.bed import CLIENT, SERVER, Bed, Connection
from helpers.engine.here import HI, text_of
from helpers.engine.scripted import Scripted, always, bed_of, expected, say
from nfmasq.core.policy import Filtering, Mapping
from nfmasq.core.rows import Expected
from nfmasq.helpers.engine.ports import Ports
from nfmasq.helpers.kit.base import Apart, Found, NotActedOn, Reading, Session, Side


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


@pytest.mark.parametrize("near", [5000, 5001])
def test_a_pair_that_begins_with_an_odd_port_is_named_by_both(near: int) -> None:
    """The endpoint has a port already. It is the odd one for an odd internal port."""
    helper = always(pair(near, apart=Apart(5, 8, lambda _, ports: b"and %d" % ports[1])), whole=[(0, 8)])
    bed = bed_of(helper, filtering=Filtering.ENDPOINT_INDEPENDENT, ports=((2001, 2002),))
    bed.send(udp(CLIENT, near, SERVER, 6000), inbound=False)
    named = b"2001 and 2002" if near % 2 else b"2002 and 2001"
    assert say(bed, b"5000 ...", near=near)[0][28:] == named


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


def test_what_stood_before_stands_after_a_try_that_fails() -> None:
    """A port announced alone, and then as the first of a pair, keeps its external port."""
    alone = Found(0, 4, CLIENT, 5000, lambda _, external: b"%d" % external, "udp")
    beside = Found(0, 4, CLIENT, 5001, lambda _, external: b"%d" % external, "udp")
    helper = Scripted(
        lambda _, side, data: Reading(
            len(data),
            [{b"one.": alone, b"two.": beside}.get(data, pair(5000))] if side is Side.INSIDE else [],
        )
    )
    bed = bed_of(helper, filtering=Filtering.ENDPOINT_INDEPENDENT)
    say(bed, b"two.")
    say(bed, b"one.")
    before = row_of(bed, 5000)
    assert before[0] + 1 != before[1]
    assert say(bed, b"pair")[0][28:] == b"pair"
    assert row_of(bed, 5000) == before


def test_four_in_a_row() -> None:
    bed = bed_of(always(pair(5000)._replace(consecutive=4)), ports=((2000, 2002), (3001, 3004), (4000, 4000)))
    Connection(bed).open().say(0, b"5000")
    assert [expected(bed)[5000 + nth].external[1] for nth in range(4)] == [3001, 3002, 3003, 3004]


# Few ports are free, and what has ended rests -------------------------------------------------------------

RANGE = ((5000, 5031),)
SPEAKERS = range(4000, 4008)


def with_free(*ports: int) -> Router:
    """A router that hands out these UDP ports; where a mapping ends, its port goes into hold-down."""
    taken = frozenset(range(5000, 5032)) - {*ports}
    return helped(filtering=Filtering.ENDPOINT_INDEPENDENT, ports=RANGE, reserved_udp=taken)


class Media:
    """A helper's session that announces UDP ports in a row."""

    def __init__(self, router: Router) -> None:
        self._ports = Ports(router.table, 60)
        parent = control(router)
        self._name = parent.session, parent.serial
        self._session = Session(parent.internal, parent.external, parent.remote, inside_began=True)

    def expect(self, port: int, count: int = 2) -> list[Expected]:
        """Rows of expectations. Raises NotActedOn."""
        found = Found(0, 0, CLIENT, port, text_of, transport="udp", consecutive=count)
        return self._ports.expect(self._name, self._session, found)

    def first(self, port: int, count: int = 2) -> int:
        """The first external port of a row, all of which is there."""
        external = [each.external[1] for each in self.expect(port, count)]
        assert external == list(range(external[0], external[0] + count))
        return external[0]


@pytest.mark.parametrize("first", [5000, 5006, 5030])
def test_the_only_row_that_is_free_is_found(first: int) -> None:
    for _ in range(20):
        assert Media(with_free(5003, first, first + 1, 5009, 5019)).first(6000) == first


@pytest.mark.parametrize("count", [3, 4, 8])
def test_longer_rows_are_found_wherever_they_begin(count: int) -> None:
    for first in (5001, 5010, 5032 - count):
        free = range(first, first + count)
        assert Media(with_free(*free)).first(6000, count) == first


def test_rows_are_found_as_long_as_there_are_any() -> None:
    media = Media(with_free(*range(5000, 5017)))
    assert {media.first(port) for port in range(6000, 6016, 2)} == {*range(5000, 5016, 2)}
    with pytest.raises(NotActedOn, match="no_room"):
        media.expect(6100)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_where_a_row_begins_cannot_be_guessed(count: int) -> None:
    """Also with a range that is half of all ports: no row is more likely than others."""
    router = helped(filtering=Filtering.ENDPOINT_INDEPENDENT, ports=((1024, 32767),))
    parent = control(router)
    wish = (parent.session, parent.serial, UDP, (CLIENT, 6000), OTHER_SERVER, 0, count)
    assert len({router.table.find_row(*wish) for _ in range(200)}) > 150


@pytest.mark.parametrize("count", [4, 6, 8])
def test_an_even_number_of_ports_begins_with_an_even_one_where_it_can(count: int) -> None:
    for first in (5002, 5014):
        free = {*range(5001, 5001 + count), *range(first + count, first + 2 * count)}
        assert Media(with_free(*free)).first(6000, count) % 2 == 0


@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_row_that_was_not_found_costs_no_port(count: int) -> None:
    media = Media(with_free(5001, 5002, 5008))
    for _ in range(3):
        with pytest.raises(NotActedOn, match="no_room"):
            media.expect(6000, count)
    assert {media.first(port, 1) for port in (6000, 6001, 6002)} == {5001, 5002, 5008}


@pytest.mark.parametrize("_", range(20))
def test_ports_in_hold_down_are_in_no_row(_: int) -> None:
    """Tried often: where the search begins is drawn."""
    router = with_free(*range(5000, 5016))
    media = Media(router)
    resting = {read(router.out(udp(OTHER_CLIENT, port, OTHER_SERVER, 80))).source_port for port in SPEAKERS}
    assert router.table.flush(OTHER_CLIENT) == 8
    rows = {first for first in range(5000, 5016, 2) if not {first, first + 1} & resting}
    assert {media.first(6000 + 2 * nth) for nth in range(len(rows))} == rows
    with pytest.raises(NotActedOn, match="no_room"):
        media.expect(6100)


def test_a_port_that_was_announced_rests_once_it_is_withdrawn() -> None:
    """Somebody may have heard of it."""
    router = with_free(5000, 5001)
    media = Media(router)
    for each in media.expect(6000):
        assert router.table.withdraw(each.session, each.serial)
    with pytest.raises(NotActedOn, match="no_room"):
        media.expect(6100)


def test_an_endpoint_that_has_a_mapping_begins_the_row_there_or_has_none() -> None:
    router = with_free(5001, 5002, 5004, 5005, 5006)
    media = Media(router)
    near = read(router.out(udp(CLIENT, 6000, OTHER_SERVER, 80))).source_port
    if near in {5001, 5004, 5005}:
        assert media.first(6000) == near
    else:
        with pytest.raises(NotActedOn, match="no_room"):
            media.expect(6000)


def test_a_row_lies_at_the_external_address_of_its_host() -> None:
    router = helped(filtering=Filtering.ENDPOINT_INDEPENDENT, external=(EXTERNAL, OTHER_EXTERNAL))
    media = Media(router)
    external = {each.external[0] for each in media.expect(6000)}
    assert external == {read(router.out(udp(CLIENT, 1024, OTHER_SERVER, 80))).source}


def below(port: int, **more: Any) -> Found:
    """A port below 1024, as rsh announces it."""
    return Found(0, 4, None, port, lambda _, external: b"%04d" % external, "udp", privileged=True, **more)


@pytest.mark.parametrize(("mapping", "filtering"), list(itertools.product(Mapping, Filtering)))
@pytest.mark.parametrize("port", [512, 1023])
def test_a_privileged_port_gets_such_an_external_one(
    mapping: Mapping, filtering: Filtering, port: int
) -> None:
    bed = bed_of(always(below(port)), mapping=mapping, filtering=filtering, low_ports=((600, 700),))
    say(bed, b"1022", near=1000)
    assert expected(bed)[port].external[1] in range(600, 701)


@pytest.mark.parametrize(
    ("found", "near"),
    [(below(511), 1000), (below(1024), 1000), (below(600), 1024), (below(600, anyone=True), 1000)],
    ids=["of a service", "not privileged", "of a program without such a port", "to be opened by anyone"],
)
def test_who_may_announce_a_privileged_port(found: Found, near: int) -> None:
    bed = bed_of(always(found), low_ports=((600, 700),))
    say(bed, b"1022", near=near)
    assert (expected(bed), not_acted_on(bed, "scripted")) == ({}, {"not_allowed": 1})


def test_where_all_low_ports_are_in_use_a_privileged_port_has_no_room() -> None:
    """The session itself has the only one."""
    bed = bed_of(always(below(1022)), low_ports=((700, 700),))
    say(bed, b"1022", near=1000)
    assert (expected(bed), not_acted_on(bed, "scripted")) == ({}, {"no_room": 1})
