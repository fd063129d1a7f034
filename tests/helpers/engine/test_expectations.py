"""Expectations: which sessions may meet one, which give way, and how long one waits."""

from ipaddress import IPv4Address

import pytest
from support.packets import ACK, FIN, RST, read, tcp
from support.router import OTHER_CLIENT, OTHER_SERVER

from helpers.engine.announcing import announced, not_acted_on, said, strict, waiting
from helpers.engine.bed import CLIENT, NEAR_PORT, SERVER, Bed, Connection
from helpers.engine.here import HI
from nfmasq.core.policy import Timeouts
from nfmasq.core.rows import SessionRow
from nfmasq.helpers.engine import lifetimes, standing


def test_an_inside_client_is_called_back_by_its_server_alone() -> None:
    bed = strict()
    place = announced(Connection(bed).open(), said(b"HERE", CLIENT, 5000))
    assert bed.send(tcp(OTHER_SERVER, 20, *place), inbound=True) == []
    (came,) = bed.send(tcp(SERVER, 20, *place), inbound=True)
    assert read(came)[2:] == (CLIENT, 5000)
    assert bed.send(tcp(SERVER, 21, *place), inbound=True) == []


def test_an_inside_server_behind_a_forward_is_called_by_its_client_alone() -> None:
    bed = strict(forward=True)
    place = announced(Connection(bed).open(), said(b"HERE", CLIENT, 5000))
    assert bed.send(tcp(OTHER_SERVER, 1234, *place), inbound=True) == []
    assert read(bed.send(tcp(SERVER, 1234, *place), inbound=True)[0])[2:] == (CLIENT, 5000)


def test_anyone_may_call_where_the_protocol_means_so() -> None:
    bed = strict()
    place = announced(Connection(bed).open(), said(b"ANY", CLIENT, 5000))
    assert bed.send(tcp(OTHER_SERVER, 1234, *place), inbound=True)


def test_an_earlier_announcement_is_referred_to_by_both_sides() -> None:
    bed = strict()
    connection = Connection(bed).open()
    _, port = announced(connection, said(b"ANY", CLIENT, 5000))
    at = len(HI + said(b"ANY", CLIENT, 5000))
    assert connection.say(1, HI + b"YOURS %d\r\n" % port) == HI + b"YOURS 5000\r\n"
    assert connection.say(1, b"YOURS 77\r\n", at=len(HI + b"YOURS %d\r\n" % port)) == b"YOURS 77\r\n"
    assert b" %d\r\n" % port in connection.say(0, said(b"AGAIN", CLIENT, 5000), at=at)
    assert waiting(bed) == 1


def announce_many(connection: Connection, count: int) -> bytes:
    """Announce so many ports from 5000 on; what is heard for the last."""
    at, heard = len(HI), connection.say(0, HI)
    for port in range(5000, 5000 + count):
        heard = connection.say(0, said(b"HERE", CLIENT, port), at=at)
        at += len(said(b"HERE", CLIENT, port))
    return heard


def test_of_what_one_session_announces_the_oldest_give_way() -> None:
    bed = strict()
    announce_many(Connection(bed).open(), standing.MOST_EXPECTATIONS + 2)
    rows = [row for row in bed.table.sessions() if row.state == "expected"]
    assert sorted(row.internal[1] for row in rows) == list(range(5002, 5002 + standing.MOST_EXPECTATIONS))
    assert not_acted_on(bed) == {}


def expected(bed: Bed) -> dict[int, tuple[IPv4Address, int]]:
    """The external endpoints of those waited for, by their internal port."""
    return {row.internal[1]: row.external for row in bed.table.sessions() if row.state == "expected"}


def test_who_has_come_gives_way_before_the_oldest() -> None:
    bed = strict()
    connection = Connection(bed).open()
    announce_many(connection, standing.MOST_EXPECTATIONS)
    assert bed.send(tcp(SERVER, 20, *expected(bed)[5003]), inbound=True)
    announce_one_more(connection, standing.MOST_EXPECTATIONS)
    announced_all = set(range(5000, 5001 + standing.MOST_EXPECTATIONS))
    assert set(expected(bed)) == announced_all - {5003}


def test_who_has_come_and_gives_way_lives_on_and_keeps_the_control_session() -> None:
    bed = strict(timeouts=Timeouts(tcp_established=30))
    connection = Connection(bed).open()
    announce_many(connection, standing.MOST_EXPECTATIONS + 1)
    place = expected(bed)[5001]
    assert bed.send(tcp(SERVER, 20, *place), inbound=True)
    announce_one_more(connection, standing.MOST_EXPECTATIONS + 1)
    assert sorted(expected(bed)) == list(range(5002, 5002 + standing.MOST_EXPECTATIONS))
    assert bed.engine.expectations() == standing.MOST_EXPECTATIONS
    assert bed.send(tcp(SERVER, 20, *place, ACK), inbound=True)
    bed.engine.tick()
    assert control_of(bed).expires_s > 30


def announce_one_more(connection: Connection, before: int) -> None:
    """As announce_many goes on."""
    at = len(HI) + before * len(said(b"HERE", CLIENT, 5000))
    connection.say(0, said(b"HERE", CLIENT, 5000 + before), at=at)


def test_the_newest_of_the_greediest_host_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host takes the helper from the others, however many ports it announces."""
    monkeypatch.setattr(standing, "MOST_EXPECTATIONS_IN_ALL", 3)
    bed = strict()
    announce_many(Connection(bed).open(), 3)
    modest = Connection(bed)
    modest.near = (OTHER_CLIENT, NEAR_PORT)
    line = HI + said(b"HERE", OTHER_CLIENT, 6000)
    assert modest.open().say(0, line) != line
    assert not_acted_on(bed) == {}
    assert sorted(expected(bed)) == [5000, 5001, 6000]


def test_a_host_whose_share_is_all_replaces_its_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "MOST_EXPECTATIONS_IN_ALL", 3)
    bed = strict()
    announce_many(Connection(bed).open(), 4)
    assert sorted(expected(bed)) == [5000, 5001, 5003]
    bed.send(tcp(SERVER, 20, *expected(bed)[5000]), inbound=True)
    bed.engine.tick()
    assert bed.engine.expectations() == 2


def test_the_core_s_refusal_is_told() -> None:
    bed = strict(sessions_per_host=1)
    line = said(b"HERE", CLIENT, 5000)
    assert Connection(bed).open().say(0, HI + line) == HI + line
    assert not_acted_on(bed) == {"no_room": 1}


@pytest.mark.parametrize("how", ["fins", "reset", "flush"])
def test_expectations_end_with_their_control_session(how: str) -> None:
    bed = strict()
    connection = Connection(bed).open()
    line = HI + said(b"HERE", CLIENT, 5000)
    sent = connection.say(0, line)
    bed.engine.tick()
    assert waiting(bed) == 1
    if how == "fins":
        connection.send(0, at=len(line), flags=FIN | ACK)
        connection.send(1, acked=len(sent) + 1, flags=FIN | ACK)
    elif how == "reset":
        connection.send(0, at=len(line), flags=RST | ACK)
    else:
        bed.table.flush()
    bed.engine.tick()
    assert waiting(bed) == 0


def test_a_control_session_is_kept_while_a_data_session_lives() -> None:
    bed = strict(timeouts=Timeouts(tcp_established=30))
    place = announced(Connection(bed).open(), said(b"HERE", CLIENT, 5000))
    bed.engine.tick()
    assert control_of(bed).expires_s <= 30
    bed.send(tcp(SERVER, 20, *place), inbound=True)
    for _ in range(lifetimes.LOOK_AT_DATA_S + 1):
        bed.engine.tick()
    assert control_of(bed).expires_s > 30
    assert waiting(bed) == 0


def control_of(bed: Bed) -> SessionRow:
    """The session that has a helper."""
    (row,) = [row for row in bed.table.sessions() if row.helper]
    return row
