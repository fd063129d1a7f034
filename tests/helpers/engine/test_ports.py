"""Several ports in a row."""

import pytest
from hot.test_expectations import control, helped
from support.packets import read, tcp, udp
from support.router import EXTERNAL, OTHER_CLIENT, OTHER_EXTERNAL, OTHER_SERVER, Router

from helpers.engine.announcing import announced, not_acted_on, said, strict, waiting
from helpers.engine.bed import CLIENT, SERVER, Connection
from helpers.engine.here import HI, text_of
from nfmasq.core.policy import Filtering
from nfmasq.core.rows import Expected
from nfmasq.helpers.engine.ports import Ports
from nfmasq.helpers.kit.base import Found, NotActedOn, Session


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
