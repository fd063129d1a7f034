"""A helper has left and all it wrote was acknowledged: the core goes on alone, by the correction it knows."""

from collections.abc import Iterator

import pytest
from support.packets import ACK, FIN, SYN, sums_are_right

from helpers.engine.bed import CLIENT, LONG, SHORT, Bed, Connection, payload_of
from helpers.engine.here import HERE, HI, text_of
from nfmasq.helpers.engine.stream import KEPT
from nfmasq.helpers.engine.thread import Engine


@pytest.fixture(params=[SHORT, LONG], ids=["shorter", "longer"])
def bed(request: pytest.FixtureRequest) -> Bed:
    return Bed(external=(request.param,))


@pytest.fixture
def connection(bed: Bed) -> Iterator[Connection]:
    yield Connection(bed).open()
    assert not bed.engine._verdicts.store.used


def test_the_core_is_told_at_every_change_before_the_packet_goes(bed: Bed, connection: Connection) -> None:
    at = heard = 0
    for line in (HI, HERE, HERE, b"more\r\n", HERE):
        heard += len(connection.say(0, line, at=at))
        at += len(line)
        assert bed.table.corrections.get((1, 1), (0, 0)) == (heard - at, 0)


def test_what_was_acknowledged_settles_once_the_helper_has_left(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, HI + HERE)
    at = len(HI + HERE)
    connection.say(0, b"BYE\r\n", at=at)
    assert bed.table.let == []
    connection.send(1, acked=len(sent) - 3)
    assert bed.table.let == [], "a part of what was written may come again"
    connection.send(1, acked=len(sent))
    assert bed.table.let == [(1, 1)]
    assert len(bed.engine._sessions) == 0


def test_the_numbers_are_right_in_the_fast_path(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, HI + HERE)
    bed.engine.set_enabled("here", False)
    connection.send(1, acked=len(sent))
    assert bed.table.let == [(1, 1)]
    assert bed.table.next_set_aside(0) is None
    at = len(HI + HERE)
    (packet,) = connection.send(0, HERE, at=at, acked=0)
    assert (payload_of(packet), connection.heard(0, packet)) == (HERE, len(sent))
    (answer,) = connection.send(1, b"yes", acked=len(sent + HERE))
    assert (connection.told(1, answer), connection.heard(1, answer)) == (at + len(HERE), 0)
    assert sums_are_right(packet)
    assert sums_are_right(answer)
    assert bed.table.next_set_aside(0) is None


def test_an_idle_connection_is_let_go_when_its_helper_is_disabled(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, HI + HERE)
    connection.send(1, acked=len(sent))
    bed.engine.set_enabled("here", False)
    bed.engine.tick()
    assert bed.table.let == [(1, 1)]
    assert bed.engine.counters()["here"].sessions == 0
    assert connection.heard(0, connection.send(0, at=len(HI + HERE))[0]) == len(sent)


def test_packets_that_had_been_set_aside_are_still_corrected(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, HI + HERE)
    bed.engine.set_enabled("here", False)
    at = len(HI + HERE)
    bed.table.translate(connection.made(1, acked=len(sent)), inbound=True)
    bed.table.translate(connection.made(0, HERE, at=at))
    bed.table.translate(connection.made(1, acked=len(sent)), inbound=True)
    _, one, other = (next_answered(bed) for _ in range(3))
    assert bed.table.let
    assert (payload_of(one), connection.heard(0, one)) == (HERE, len(sent))
    assert connection.told(1, other) == at


def next_answered(bed: Bed) -> bytes:
    """What the engine makes of the oldest packet that was set aside."""
    aside = bed.table.next_set_aside(0)
    assert aside is not None
    (packet,) = bed.answered(aside)
    return packet


def test_thousands_of_acknowledged_corrections_cost_no_memory(bed: Bed, connection: Connection) -> None:
    line = b"AGAIN " + text_of(CLIENT, 5000) + b"\r\n"
    sent, at = len(connection.say(0, HI + HERE)), len(HI + HERE)
    for _ in range(3000):
        sent += len(connection.say(0, line * 15, at=at))
        at += len(line * 15)
        connection.send(1, acked=sent)
    intakes = bed.engine._sessions.get((1, 1))._intakes  # type: ignore[union-attr]
    assert intakes
    assert intakes[0].stream.splices <= KEPT + 15
    assert bed.table.corrections[1, 1] == (sent - at, 0)
    assert abs(sent - at) > 40_000
    connection.say(0, b"BYE\r\n", at=at)
    connection.send(1, acked=sent + 5)
    assert bed.table.let == [(1, 1)]
    assert connection.heard(0, connection.send(0, at=at + 5)[0]) == sent + 5


def test_a_connection_begun_anew_has_no_correction(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, HI + HERE)
    connection.send(0, at=len(HI + HERE), flags=ACK | FIN)
    connection.send(1, flags=ACK | FIN, acked=len(sent) + 1)
    again = Connection(bed, (9_000_000, 77))
    again.external = connection.external
    again.open()
    assert bed.table.corrections[1, 1] == (0, 0)
    assert again.say(0, HI + HERE) == sent


def test_a_syn_that_comes_to_nothing_takes_no_correction_away(bed: Bed, connection: Connection) -> None:
    """The core takes the answer for the beginning of another connection; the client knows better."""
    sent = connection.say(0, HI + HERE)
    connection.send(0, flags=SYN, at=5000, acked=None)
    connection.send(1, flags=SYN | ACK, at=6000, acked=5001)
    connection.send(0, at=len(HI + HERE))
    bed.engine.set_enabled("here", False)
    connection.send(1, acked=len(sent))
    assert bed.table.let == [(1, 1)]
    assert connection.heard(0, connection.send(0, at=len(HI + HERE))[0]) == len(sent)


def test_an_engine_that_takes_over_sends_nothing_it_cannot_correct(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, HI + HERE)
    connection.send(1, acked=len(sent))
    bed.engine = Engine(bed.table, bed.registry, remainder=bed.remainder, takes_over=True)
    at = len(HI + HERE)
    assert connection.send(0, at=at) == []
    assert connection.heard(0, connection.send(0, at=at)[0]) == len(sent)
    other = Connection(bed, near=connection.near[1] + 1).open()
    assert other.say(0, HI + HERE) != HI + HERE


def test_the_next_connection_between_the_same_endpoints_is_read(bed: Bed, connection: Connection) -> None:
    """A client that calls from a port of its own closes, and calls again at once."""
    sent = connection.say(0, HI + HERE)
    at = len(HI + HERE)
    connection.send(0, b"BYE\r\n", at=at)
    connection.send(1, acked=len(sent) + 5, flags=ACK | FIN)
    assert bed.table.let == [(1, 1)]
    connection.send(0, at=at + 5, acked=1, flags=ACK | FIN)
    again = Connection(bed, numbers=(100_007, 200_007)).open()
    assert again.say(0, HI + HERE) == sent
    assert bed.table.let == [(1, 1)]
