"""What is announced to the core and what is not; how long it stands."""

from ipaddress import IPv4Address

import pytest
from support.packets import ACK, FIN, RST, read, tcp
from support.router import OTHER_CLIENT, OTHER_SERVER

from helpers.engine.bed import CLIENT, SERVER, Bed, Connection, datagram
from helpers.engine.here import text_of
from nfmasq.core.policy import Filtering, Timeouts
from nfmasq.core.rows import SessionRow
from nfmasq.helpers.engine import expectations

HI = b"HI\r\n"


def strict(*, forward: bool = False, **changes: object) -> Bed:
    """A bed that lets nobody in unasked."""
    return Bed(forward=forward, filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT, **changes)


def said(word: bytes, address: IPv4Address, port: int) -> bytes:
    """A line."""
    return word + b" " + text_of(address, port) + b"\r\n"


def test_an_address_without_a_port_is_hidden_and_nothing_expected() -> None:
    bed = strict()
    connection = Connection(bed).open()
    heard = connection.say(0, HI + said(b"SELF", CLIENT, 0))
    assert heard == HI + said(b"SELF", connection.external[0], 0)
    at = len(HI + said(b"SELF", CLIENT, 0))
    assert connection.say(0, said(b"SELF", OTHER_CLIENT, 0), at=at) == said(b"SELF", OTHER_CLIENT, 0)
    assert connection.say(1, HI + said(b"SELF", SERVER, 0)) == HI + said(b"SELF", SERVER, 0)
    assert (waiting(bed), refused(bed)) == (0, {})


def test_the_external_address_is_the_speaker_s_own_only_where_the_helper_says_so() -> None:
    bed = strict()
    line = HI + said(b"HERE", bed.rules.external[0], 5000)
    assert Connection(bed).open().say(0, line) == line
    assert (waiting(bed), refused(bed)) == (0, {"forged": 1})


def announced(connection: Connection, line: bytes, side: int = 0) -> tuple[IPv4Address, int]:
    """The endpoint that is heard for the one in a line."""
    heard = connection.say(side, HI + line)
    _, address, port = heard[len(HI) :].split()
    return IPv4Address(address.decode()), int(port)


def waiting(bed: Bed) -> int:
    """Expectations the core holds."""
    return sum(row.state == "expected" for row in bed.table.sessions())


def refused(bed: Bed, helper: str = "here") -> dict[str, int]:
    """What was refused, by reason."""
    counted = bed.engine.counters()[helper]
    return {reason: count for reason, count in counted.refused.items() if count}


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


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (said(b"HERE", OTHER_CLIENT, 5000), "forged"),
        (said(b"HERE", SERVER, 5000), "forged"),
        (said(b"HERE", CLIENT, 1023), "privileged"),
        (said(b"HERE", CLIENT, 65536), "privileged"),
        (said(b"PAIR", CLIENT, 65535), "privileged"),
        (b"LONG\r\n", "too_long"),
        (said(b"AGAIN", CLIENT, 5000), "not_allowed"),
    ],
)
def test_what_is_not_to_be_trusted_stays_as_it_is(line: bytes, reason: str) -> None:
    bed = strict()
    connection = Connection(bed).open()
    assert connection.say(0, HI + line) == HI + line
    assert waiting(bed) == 0
    assert refused(bed) == {reason: 1}


@pytest.mark.parametrize(("address", "reasons"), [(SERVER, {}), (CLIENT, {"forged": 1})])
def test_what_the_outside_announces_is_only_read(address: IPv4Address, reasons: dict[str, int]) -> None:
    bed = strict()
    line = HI + said(b"HERE", address, 5000)
    assert Connection(bed).open().say(1, line) == line
    assert waiting(bed) == 0
    assert refused(bed) == reasons
    assert bed.engine.counters()["here"].seen == 1


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
    bed = strict(ports=(5001, 5001))
    line = said(b"PAIR", CLIENT, 5000)
    assert Connection(bed).open().say(0, HI + line) == HI + line
    assert refused(bed) == {"no_room": 1}
    assert waiting(bed) == 0


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
    announce_many(Connection(bed).open(), expectations.MOST_WAITING + 2)
    rows = [row for row in bed.table.sessions() if row.state == "expected"]
    assert sorted(row.internal[1] for row in rows) == list(range(5002, 5002 + expectations.MOST_WAITING))
    assert refused(bed) == {}


def expected(bed: Bed) -> dict[int, tuple[IPv4Address, int]]:
    """The external endpoints of those waited for, by their internal port."""
    return {row.internal[1]: row.external for row in bed.table.sessions() if row.state == "expected"}


def test_who_has_come_gives_way_before_the_oldest() -> None:
    bed = strict()
    connection = Connection(bed).open()
    announce_many(connection, expectations.MOST_WAITING)
    assert bed.send(tcp(SERVER, 20, *expected(bed)[5003]), inbound=True)
    announce_one_more(connection, expectations.MOST_WAITING)
    assert sorted(expected(bed)) == [port for port in range(5000, 5017) if port != 5003]


def test_who_has_come_and_gives_way_lives_on_and_keeps_the_control_session() -> None:
    bed = strict(timeouts=Timeouts(tcp_established=30))
    connection = Connection(bed).open()
    announce_many(connection, expectations.MOST_WAITING + 1)
    place = expected(bed)[5001]
    assert bed.send(tcp(SERVER, 20, *place), inbound=True)
    announce_one_more(connection, expectations.MOST_WAITING + 1)
    assert sorted(expected(bed)) == list(range(5002, 5018))
    assert bed.engine.expectations() == expectations.MOST_WAITING
    assert bed.send(tcp(SERVER, 20, *place, ACK), inbound=True)
    bed.engine.tick()
    assert control_of(bed).expires_s > 30


def announce_one_more(connection: Connection, before: int) -> None:
    """As announce_many goes on."""
    at = len(HI) + before * len(said(b"HERE", CLIENT, 5000))
    connection.say(0, said(b"HERE", CLIENT, 5000 + before), at=at)


def test_all_sessions_together_have_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "MOST_WAITING_IN_ALL", 3)
    bed = strict()
    assert announce_many(Connection(bed).open(), 4) == said(b"HERE", CLIENT, 5003)
    assert refused(bed) == {"no_room": 1}
    place = next(row.external for row in bed.table.sessions() if row.state == "expected")
    bed.send(tcp(SERVER, 20, *place), inbound=True)
    bed.engine.tick()
    line = HI + said(b"HERE", CLIENT, 6000)
    assert Connection(bed, near=40001).open().say(0, line) != line


def test_the_core_s_refusal_is_told() -> None:
    bed = strict(sessions_per_host=1)
    line = said(b"HERE", CLIENT, 5000)
    assert Connection(bed).open().say(0, HI + line) == HI + line
    assert refused(bed) == {"no_room": 1}


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
    for _ in range(expectations.LOOK_AT_DATA_S + 1):
        bed.engine.tick()
    assert control_of(bed).expires_s > 30
    assert waiting(bed) == 0


def control_of(bed: Bed) -> SessionRow:
    """The session that has a helper."""
    (row,) = [row for row in bed.table.sessions() if row.helper]
    return row


def test_udp_announces_too() -> None:
    bed = strict()
    (sent,) = datagram(bed, said(b"HERE", CLIENT, 5000))
    assert str(CLIENT).encode() not in sent
    assert waiting(bed) == 1
