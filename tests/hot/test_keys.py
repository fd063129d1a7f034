"""Sessions with a key (GRE's call id): told apart where a helper has announced them, and nowhere else."""

from pathlib import Path

import pytest
from support.packets import (
    ACK,
    GRE,
    RST,
    call,
    ip_sum_is_right,
    key_of,
    portless,
    put,
    read,
    tcp,
    udp,
)
from support.router import (
    CLIENT,
    EXTERNAL,
    OTHER_CLIENT,
    OTHER_SERVER,
    SERVER,
    Router,
    policy,
)

from hot.calling import PPTP, announce, answering, begin, control
from hot.restarting import restarted
from nfmasq._fastpath import Table
from nfmasq.core.protocols import INWARD, OUTWARD
from nfmasq.core.rows import ExpectationRefused


@pytest.mark.parametrize("own", [0, 1, 1990, 0xFFFF])
@pytest.mark.parametrize("theirs", [0, 1, 1990, 0xFFFF])
def test_a_call_passes_both_ways_whatever_its_keys_are(own: int, theirs: int) -> None:
    router = answering()
    one = begin(router, control(router), own, theirs)
    assert one.external == own
    assert one.out(router) == (EXTERNAL, theirs)
    assert one.into(router) == (CLIENT, own)
    assert one.out(router) == (EXTERNAL, theirs)


def test_the_first_packet_may_come_from_either_side() -> None:
    router = answering()
    one = begin(router, control(router), 7, 8)
    assert one.into(router) == (CLIENT, 7)
    assert one.into(router) == (CLIENT, 7)
    assert one.out(router) == (EXTERNAL, 8)


def test_clients_with_equal_keys_are_told_apart_at_one_server() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    two = begin(router, control(router, OTHER_CLIENT), 5, 101)
    assert one.external == 5 != two.external
    for _ in range(2):
        assert one.out(router) == (EXTERNAL, 100)
        assert two.out(router) == (EXTERNAL, 101)
        assert one.into(router) == (CLIENT, 5)
        assert two.into(router) == (OTHER_CLIENT, 5)


def test_equal_keys_at_two_servers_stay_as_they_are() -> None:
    router = answering()
    one = begin(router, control(router), 5, 9)
    two = begin(router, control(router, OTHER_CLIENT, OTHER_SERVER), 5, 9)
    assert (one.external, two.external) == (5, 5)
    assert (one.out(router), two.out(router)) == ((EXTERNAL, 9), (EXTERNAL, 9))
    assert (one.into(router), two.into(router)) == ((CLIENT, 5), (OTHER_CLIENT, 5))


def test_one_client_has_many_calls_by_one_control_session() -> None:
    router = answering(capacity=256, sessions=256)
    by = control(router)
    calls = [begin(router, by, own, theirs) for own, theirs in zip(range(40), range(39, -1, -1), strict=True)]
    assert [each.out(router) for each in calls] == [(EXTERNAL, each.theirs) for each in calls]
    assert [each.into(router) for each in calls] == [(CLIENT, each.own) for each in calls]


def test_nothing_but_the_key_and_the_address_is_changed() -> None:
    router = answering()
    begin(router, control(router), 5, 100)
    two = begin(router, control(router, OTHER_CLIENT), 5, 101)
    packet = call(SERVER, EXTERNAL, two.external, b"payload of PPP")
    came = router.into(packet)
    assert ip_sum_is_right(came)
    assert came[20:26] == packet[20:26]
    assert came[28:] == packet[28:]


def test_the_list_says_whose_each_key_is() -> None:
    router = answering()
    by = control(router)
    begin(router, by, 5, 100)
    halves = [row[2:6] for row in router.rows() if row.protocol == GRE]
    assert halves == [
        ((CLIENT, 5), (EXTERNAL, 5), (SERVER, 0), "expected"),
        ((CLIENT, 0), (EXTERNAL, 0), (SERVER, 100), "expected"),
    ]
    mappings = [(row.internal, row.external) for row in router.table.mappings(protocol=GRE)]
    assert mappings == [((CLIENT, 5), (EXTERNAL, 5)), ((CLIENT, 0), (EXTERNAL, 0))]


# What is not announced ----------------------------------------------------------------------------------


def test_without_an_announcement_a_call_is_known_by_its_addresses(router: Router) -> None:
    assert key_of(router.out(call(CLIENT, SERVER, 7))) == 7
    came = router.into(call(SERVER, EXTERNAL, 4711))
    assert (read(came).destination, key_of(came)) == (CLIENT, 4711)
    assert router.row()[2:5] == ((CLIENT, 0), (EXTERNAL, 0), (SERVER, 0))
    assert router.try_out(call(OTHER_CLIENT, SERVER, 8))[0] == "portless_remote_taken"


def test_calls_nobody_announced_pass_between_announced_ones() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    assert router.out(call(OTHER_CLIENT, SERVER, 101))
    assert one.out(router) == (EXTERNAL, 100)
    came = router.into(call(SERVER, EXTERNAL, 6))
    assert (read(came).destination, key_of(came)) == (OTHER_CLIENT, 6)
    assert one.into(router) == (CLIENT, 5)


def test_another_remote_host_does_not_come_in_by_the_key() -> None:
    router = answering()
    begin(router, control(router), 5, 100)
    assert router.passed(call(OTHER_SERVER, EXTERNAL, 5), inbound=True)
    assert {row.state for row in router.rows() if row.protocol == GRE} == {"expected"}


def test_another_client_does_not_go_out_by_it() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    router.out(call(OTHER_CLIENT, SERVER, 100))
    assert [row.state for row in router.rows() if row.protocol == GRE] == ["expected", "expected", "-"]
    assert one.into(router) == (CLIENT, 5)


@pytest.mark.parametrize(
    ("at", "bits"),
    [
        (0, 0x80),
        (0, 0x40),
        (0, 0x20),
        (0, 0x08),
        (0, 0x01),
        (1, 0x01),
        (1, 0x02),
        (1, 0x08),
        (2, 0x80),
        (3, 0x01),
    ],
)
def test_what_is_no_packet_of_a_call_has_no_key(at: int, bits: int) -> None:
    """A checksum, routing, no key, strict routing, recursion, another version, a flag, another payload."""
    router = answering()
    begin(router, control(router), 5, 100)
    packet = call(SERVER, EXTERNAL, 5)
    other = put(packet, 20 + at, bytes([packet[20 + at] ^ bits]))
    assert router.passed(other, inbound=True)


@pytest.mark.parametrize(("at", "bits"), [(0, 0x10), (1, 0x80)])
def test_a_packet_may_lack_its_sequence_number_or_its_acknowledgment(at: int, bits: int) -> None:
    router = answering()
    begin(router, control(router), 5, 100)
    packet = call(SERVER, EXTERNAL, 5)
    assert router.into(put(packet, 20 + at, bytes([packet[20 + at] ^ bits])))


@pytest.mark.parametrize("length", range(8))
def test_one_cut_short_has_none_either(length: int) -> None:
    router = answering()
    begin(router, control(router), 5, 100)
    whole = call(SERVER, EXTERNAL, 5)[20:]
    assert router.passed(portless(SERVER, EXTERNAL, GRE, whole[:length]), inbound=True)


# How long it lives --------------------------------------------------------------------------------------


def test_either_half_lives_by_its_own_packets() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    one.out(router)
    one.into(router)
    for _ in range(10):
        router.wait(200)
        assert one.into(router) == (CLIENT, 5)
    assert [row.packets_in for row in router.rows() if row.protocol == GRE] == [11]
    router.wait(300)
    assert not [row for row in router.rows() if row.protocol == GRE]


def test_nobody_outside_keeps_a_call_alive_whose_control_session_is_over() -> None:
    router = answering()
    by = control(router)
    one = begin(router, by, 5, 100)
    one.into(router)
    router.try_in(tcp(SERVER, PPTP, *by.external, RST | ACK))
    router.wait(200)
    assert one.into(router) == (CLIENT, 5)
    router.wait(200)
    assert router.passed(call(SERVER, EXTERNAL, 5), inbound=True)


def test_no_call_begins_once_its_control_session_is_over() -> None:
    router = answering()
    by = control(router)
    begin(router, by, 5, 100)
    router.try_in(tcp(SERVER, PPTP, *by.external, RST | ACK))
    assert router.passed(call(SERVER, EXTERNAL, 5), inbound=True)
    router.out(call(CLIENT, SERVER, 100))
    assert router.rows()[-1][2:5] == ((CLIENT, 0), (EXTERNAL, 0), (SERVER, 0)), "by its addresses alone"


def test_a_call_that_goes_on_ends_when_it_is_ended() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    one.out(router)
    one.into(router)
    for half in (one.inward, one.outward):
        assert router.table.end(half.session, half.serial)
        assert not router.table.end(half.session, half.serial)
    assert router.passed(call(SERVER, EXTERNAL, 5), inbound=True)
    assert [row.protocol for row in router.rows()] == [6]


def test_a_key_that_a_client_gives_anew_is_that_of_its_newer_call() -> None:
    router = answering()
    old = begin(router, control(router), 5, 100)
    old.out(router)
    old.into(router)
    new = begin(router, control(router, port=40001), 5, 101)
    assert new.external == 5
    assert new.into(router) == (CLIENT, 5)
    assert new.out(router) == (EXTERNAL, 101)
    assert not router.table.seen(old.inward.session, old.inward.serial)


def test_a_key_that_a_server_gives_to_another_client_is_the_other_s() -> None:
    router = answering()
    old = begin(router, control(router), 5, 100)
    old.out(router)
    new = begin(router, control(router, OTHER_CLIENT), 6, 100)
    assert new.out(router) == (EXTERNAL, 100)
    assert not router.table.seen(old.outward.session, old.outward.serial)


def test_announced_twice_it_is_expected_once() -> None:
    router = answering()
    by = control(router)
    first = announce(router, by, 5, INWARD)
    assert announce(router, by, 5, INWARD) == first
    other = announce(router, control(router, port=40001), 5, INWARD)
    assert other.external == first.external
    assert other.serial != first.serial
    assert not router.table.withdraw(first.session, first.serial)


def test_a_flush_ends_both_halves() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    one.out(router)
    one.into(router)
    assert router.table.flush(CLIENT) == 3
    gauges = router.table.gauges()
    assert (sum(gauges.sessions), sum(gauges.mappings)) == (0, 0)


def test_while_the_table_is_full_no_call_gives_way() -> None:
    router = answering()
    begin(router, control(router), 5, 99)
    one = begin(router, control(router, OTHER_CLIENT), 5, 100)
    assert one.out(router) == (EXTERNAL, 100)
    for port in range(1024, 1200):
        assert one.into(router) == (OTHER_CLIENT, 5)
        router.wait(3)
        router.try_out(tcp(CLIENT, port, SERVER, 80))


def test_more_calls_than_a_host_may_have_are_refused() -> None:
    router = answering(ports_per_host=3)
    by = control(router)
    announce(router, by, 1, INWARD)
    announce(router, by, 2, INWARD)
    with pytest.raises(ExpectationRefused):
        announce(router, by, 3, INWARD)


def test_a_restart_keeps_calls_and_what_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "state"
    router = answering(path=str(path))
    begin(router, control(router), 5, 100)
    two = begin(router, control(router, OTHER_CLIENT), 5, 101)
    assert two.into(router) == (OTHER_CLIENT, 5)
    two.out(router)
    before = [row[1:6] for row in router.rows()]
    again = restarted(router, path)
    assert [row[1:6] for row in again.rows()] == before
    assert two.into(again) == (OTHER_CLIENT, 5)
    assert two.out(again) == (EXTERNAL, 101)
    for _ in range(3):
        again.wait(200)
        assert two.into(again) == (OTHER_CLIENT, 5)


def test_a_call_goes_on_from_a_copy_in_which_its_control_session_has_another_number(tmp_path: Path) -> None:
    state, saved = tmp_path / "state", tmp_path / "saved"
    router = answering(path=str(state))
    for port in range(5):
        router.out(udp(OTHER_CLIENT, 40000 + port, SERVER, 53))
    one = begin(router, control(router), 5, 100)
    assert (one.into(router), one.out(router)) == ((CLIENT, 5), (EXTERNAL, 100))
    router.table.flush(OTHER_CLIENT)
    router.table.save(str(saved))
    router.table.close()
    state.unlink()
    again = answering()
    again.table = Table(str(state), 64, None, str(saved))
    again.table.configure(policy())
    for _ in range(4):
        assert one.into(again) == (CLIENT, 5)
        again.wait(200)
        assert one.out(again) == (EXTERNAL, 100)


def test_after_a_restart_a_call_still_gives_way_to_none(tmp_path: Path) -> None:
    path = tmp_path / "state"
    router = answering(path=str(path))
    one = begin(router, control(router), 5, 100)
    assert (one.into(router), one.out(router)) == ((CLIENT, 5), (EXTERNAL, 100))
    again = restarted(router, path)
    for port in range(1024, 1200):
        again.wait(3)
        again.try_out(udp(OTHER_CLIENT, port, SERVER, 80))
        assert one.into(again) == (CLIENT, 5)


# Bad wishes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [0, 1, 2, 1723, 0x0303])
def test_a_wish_must_say_which_way(way: int) -> None:
    router = answering()
    by = control(router)
    with pytest.raises(ValueError, match="INWARD or OUTWARD"):
        announce(router, by, 5, way)


def test_a_wish_must_name_the_remote_host() -> None:
    router = answering()
    by = control(router)
    with pytest.raises(ValueError, match="remote host"):
        router.table.expect(by.session, by.serial, GRE, (CLIENT, 5), None, OUTWARD, 60)
