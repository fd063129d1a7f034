"""What helpers ask of the core: packets set aside for them, and sessions announced."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from support.packets import ACK, RST, SYN, TCP, UDP, error, put, read, sums_are_right, tcp, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy

from hot.restarting import restarted
from nfmasq._fastpath import SetAside, finish
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Filtering, Forward, ForwardTarget, HelperPort
from nfmasq.core.rows import ExpectationRefused, Expected

FTP = HelperPort(3, TCP, 21)
CONTROL = tcp(CLIENT, 40000, SERVER, 21)


def helped(**changes: Any) -> Router:
    """A router whose sessions with TCP port 21 have helper 3, and which lets nobody in unasked."""
    changes.setdefault("filtering", Filtering.ADDRESS_AND_PORT_DEPENDENT)
    return Router(policy(helper_ports=(FTP,), **changes))


def set_aside(router: Router) -> SetAside:
    """The packet that was set aside."""
    packet = router.table.next_set_aside(0.5)
    assert packet is not None
    return packet


def control(router: Router) -> SetAside:
    """CLIENT's session with SERVER's port 21, its first packet set aside."""
    router.try_out(CONTROL)
    return set_aside(router)


def announce(
    router: Router,
    parent: SetAside,
    remote: IPv4Address | None = SERVER,
    from_port: int = 0,
    port: int = 5000,
) -> Expected:
    """CLIENT is going to be called at `port`."""
    return router.table.expect(
        parent.session, parent.serial, TCP, (CLIENT, port), remote, from_port, 60, now=router.now
    )


def test_the_packets_of_a_session_with_a_helper_are_set_aside_translated() -> None:
    router = helped()
    packet = control(router)
    assert (packet.helper, packet.outbound, packet.inside_began) == (3, True, True)
    assert (packet.internal, packet.remote) == ((CLIENT, 40000), (SERVER, 21))
    assert read(packet.packet) == (*packet.external, SERVER, 21)
    router.try_in(tcp(SERVER, 21, *packet.external, SYN | ACK))
    answer = set_aside(router)
    assert (answer.session, answer.serial, answer.outbound) == (packet.session, packet.serial, False)
    assert read(answer.packet)[2:] == (CLIENT, 40000)
    assert router.table.next_set_aside(0) is None


def test_other_sessions_and_errors_are_not() -> None:
    router = helped()
    near = control(router).external[1]
    router.out(tcp(CLIENT, 40000, SERVER, 22))
    router.out(udp(CLIENT, 40000, SERVER, 21))
    router.into(error(SERVER, EXTERNAL, tcp(EXTERNAL, near, SERVER, 21)))
    assert router.table.next_set_aside(0) is None


def test_a_train_of_datagrams_is_set_aside_in_parts() -> None:
    """The kernel cuts it up and queues the parts. A train of segments is one piece of a stream."""
    router = Router(policy(helper_ports=(HelperPort(3, UDP, 21), FTP)))
    assert router.try_out(udp(CLIENT, 40000, SERVER, 21, bytes(3000)), gso=True)[0] == ""
    assert router.table.next_set_aside(0) is None
    router.try_out(udp(CLIENT, 40000, SERVER, 21, bytes(1000)))
    assert len(set_aside(router).packet) == 1028
    assert router.row()[6:10] == (1, 0, 1028, 0), "the train counts when its parts come"
    router.try_out(tcp(CLIENT, 40000, SERVER, 21, payload=bytes(3000)), gso=True)
    assert len(set_aside(router).packet) == 3040


def test_a_helper_may_be_for_some_networks_alone() -> None:
    only = HelperPort(3, TCP, 21, (IPv4Network("192.168.9.0/24"), IPv4Network(f"{OTHER_CLIENT}/32")))
    router = Router(policy(helper_ports=(only,)))
    router.out(CONTROL)
    router.try_out(tcp(OTHER_CLIENT, 40000, SERVER, 21))
    assert set_aside(router).internal[0] == OTHER_CLIENT


def test_a_forwarded_server_has_the_helper_of_its_own_port() -> None:
    router = helped(forwards=(Forward(TCP, None, (2121, 2121), (ForwardTarget(CLIENT, (21, 21)),)),))
    router.try_in(tcp(SERVER, 5000, EXTERNAL, 2121))
    packet = set_aside(router)
    assert not packet.inside_began
    assert packet.internal == (CLIENT, 21)


def test_what_is_let_go_is_fast_again() -> None:
    router = helped()
    packet = control(router)
    router.table.let_go(packet.session, packet.serial + 1)
    router.try_out(CONTROL)
    assert set_aside(router)
    router.table.let_go(packet.session, packet.serial)
    assert router.out(CONTROL)


def test_what_was_let_go_has_its_helper_again_when_it_begins_anew() -> None:
    router = helped()
    packet = control(router)
    router.table.let_go(packet.session, packet.serial)
    router.into(tcp(SERVER, 21, *packet.external, RST | ACK))
    assert router.row().state == "reset"
    router.try_out(CONTROL)
    assert set_aside(router).session == packet.session


def test_an_expected_session_that_begins_anew_has_none() -> None:
    router = helped()
    expected = announce(router, control(router), from_port=20, port=21)
    router.into(tcp(SERVER, 20, *expected.external))
    router.out(tcp(CLIENT, 21, SERVER, 20, RST | ACK))
    router.into(tcp(SERVER, 20, *expected.external))
    assert [row.helper for row in router.rows()] == [3, 0]


def test_more_than_can_wait_is_dropped_with_a_reason() -> None:
    router = helped()
    reasons = [router.try_out(CONTROL)[0] for _ in range(4097)]
    assert reasons == [""] * 4096 + ["helpers_busy"]
    while router.table.next_set_aside(0):
        pass


def test_who_was_expected_comes_in_once() -> None:
    router = helped()
    expected = announce(router, control(router))
    assert expected.external[0] == EXTERNAL
    assert [row.state for row in router.rows()] == ["syn-out", "expected"]
    came = router.into(tcp(SERVER, 20, *expected.external))
    assert read(came)[2:] == (CLIENT, 5000)
    assert router.table.seen(expected.session, expected.serial) is not None
    assert router.try_in(tcp(SERVER, 21, *expected.external))[0] == "filtered"
    assert read(router.out(tcp(CLIENT, 5000, SERVER, 20, SYN | ACK)))[:2] == expected.external
    assert router.rows()[1].state == "established"


@pytest.mark.parametrize(
    ("remote", "from_port", "comes"),
    [
        (SERVER, 20, {(SERVER, 20)}),
        (SERVER, 0, {(SERVER, 20), (SERVER, 99)}),
        (None, 0, {(SERVER, 20), (SERVER, 99), (OTHER_SERVER, 20)}),
    ],
)
def test_only_who_was_expected_comes_in(
    remote: IPv4Address | None, from_port: int, comes: set[tuple[IPv4Address, int]]
) -> None:
    for caller in ((SERVER, 20), (SERVER, 99), (OTHER_SERVER, 20)):
        router = helped()
        expected = announce(router, control(router), remote, from_port)
        assert (router.try_in(tcp(*caller, *expected.external))[0] == "") == (caller in comes)


def test_only_a_first_packet_fulfils_an_expectation() -> None:
    router = helped()
    expected = announce(router, control(router))
    assert router.try_in(tcp(SERVER, 20, *expected.external, ACK))[0] == "tcp_no_session"
    assert router.into(tcp(SERVER, 20, *expected.external))


def test_the_host_that_calls_first_uses_its_expectation_up() -> None:
    router = helped()
    expected = announce(router, control(router), from_port=20)
    assert read(router.out(tcp(CLIENT, 5000, SERVER, 20)))[:2] == expected.external
    assert "expected" not in [row.state for row in router.rows()]


def test_an_expectation_ends_in_time_or_when_withdrawn() -> None:
    router = helped()
    parent = control(router)
    expected = announce(router, parent)
    assert router.table.withdraw(expected.session, expected.serial, now=router.now)
    assert not router.table.withdraw(expected.session, expected.serial, now=router.now)
    assert router.try_in(tcp(SERVER, 20, *expected.external))[0] == "no_mapping"
    expected = announce(router, parent)
    router.wait(60)
    assert router.table.seen(expected.session, expected.serial) is None


def called_and_over(router: Router, expected: Expected) -> None:
    """SERVER calls from port 20, as expected, and is refused."""
    router.into(tcp(SERVER, 20, *expected.external))
    router.out(tcp(CLIENT, 5000, SERVER, 20, RST | ACK))
    assert router.rows()[-1].state == "reset"


def test_who_calls_from_the_same_port_again_uses_the_next_expectation_up() -> None:
    router = helped()
    parent = control(router)
    called_and_over(router, announce(router, parent))
    again = announce(router, parent)
    assert read(router.into(tcp(SERVER, 20, *again.external)))[2:] == (CLIENT, 5000)
    assert [row.state for row in router.rows()] == ["syn-out", "syn-in"]
    assert router.try_in(tcp(SERVER, 21, *again.external))[0] == "filtered"


def test_a_connection_that_is_over_goes_on_ending_beside_an_expectation() -> None:
    router = helped()
    parent = control(router)
    called_and_over(router, announce(router, parent))
    again = announce(router, parent)
    router.into(tcp(SERVER, 20, *again.external, ACK))
    assert router.table.withdraw(again.session, again.serial, now=router.now)


def test_a_connection_that_is_not_over_is_not_begun_anew() -> None:
    router = helped()
    parent = control(router)
    router.into(tcp(SERVER, 20, *announce(router, parent).external))
    router.out(tcp(CLIENT, 5000, SERVER, 20, SYN | ACK))
    again = announce(router, parent)
    router.into(tcp(SERVER, 20, *again.external))
    assert sorted(row.state for row in router.rows()) == ["established", "expected", "syn-out"]


def test_a_session_that_came_is_not_withdrawn() -> None:
    router = helped()
    expected = announce(router, control(router))
    router.into(tcp(SERVER, 20, *expected.external))
    assert not router.table.withdraw(expected.session, expected.serial, now=router.now)


def test_what_is_announced_again_is_the_same() -> None:
    router = helped()
    parent = control(router)
    assert announce(router, parent) == announce(router, parent)
    assert announce(router, parent, port=5001).external != announce(router, parent).external


def test_an_endpoint_keeps_the_external_endpoint_it_has() -> None:
    router = helped()
    before = read(router.out(tcp(CLIENT, 5000, OTHER_SERVER, 80)))[:2]
    assert announce(router, control(router)).external == before


def test_an_external_port_may_be_asked_for() -> None:
    router = helped(ports=((5000, 5009),))
    parent = control(router)
    free = next(port for port in range(5000, 5010) if port != parent.external[1])
    wish = (parent.session, parent.serial, TCP, (CLIENT, 4000), SERVER, 0, 60)
    assert router.table.expect(*wish, free, now=router.now).external[1] == free
    with pytest.raises(ExpectationRefused):
        router.table.expect(*wish[:3], (CLIENT, 4001), *wish[4:], parent.external[1], now=router.now)


def test_there_is_no_expectation_without_room_or_without_its_parent() -> None:
    router = helped(sessions_per_host=2)
    parent = control(router)
    announce(router, parent)
    with pytest.raises(ExpectationRefused):
        announce(router, parent, port=5001)
    router.table.flush()
    with pytest.raises(ExpectationRefused):
        announce(router, parent)


def test_a_control_session_can_be_kept_alive() -> None:
    router = helped()
    parent = control(router)
    assert router.table.keep(parent.session, parent.serial, 1000, now=router.now)
    router.wait(999)
    assert router.table.seen(parent.session, parent.serial) is not None
    router.wait(1)
    assert not router.table.keep(parent.session, parent.serial, 1000, now=router.now)


def test_a_name_is_never_taken_by_the_next_session_of_its_record() -> None:
    router = helped()
    first = control(router)
    router.table.flush()
    second = control(router)
    assert second.session == first.session
    assert second.serial != first.serial
    assert router.table.seen(first.session, first.serial) is None


def test_a_restart_keeps_expectations(tmp_path: Path) -> None:
    rules = policy(helper_ports=(FTP,), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    before = Router(rules, 64, str(tmp_path / "state"))
    parent = control(before)
    hosts = [announce(before, parent), announce(before, parent, None, 0, 5001)]
    after = restarted(before, tmp_path / "state", rules=rules)
    assert after.table.recovered == 3
    for expected in hosts:
        assert after.into(tcp(SERVER, 20, *expected.external))


def test_expectations_come_before_forwards() -> None:
    everything = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(OTHER_CLIENT),))
    router = helped(forwards=(everything,))
    expected = announce(router, control(router))
    assert read(router.into(tcp(SERVER, 20, *expected.external))).destination == CLIENT


@pytest.mark.parametrize("make", [tcp, udp])
def test_an_edited_packet_is_finished(make: Any) -> None:
    packet = bytearray(make(CLIENT, 40000, SERVER, 21, payload=b"PORT 192,168,1,10,19,136\r\n"))
    packet[-4:] = b"136 and more\r\n"
    finish(packet)
    assert sums_are_right(bytes(packet))
    assert packet[2:4] == len(packet).to_bytes(2, "big")


@pytest.mark.parametrize(
    "packet", [b"", bytes(20), put(tcp(CLIENT, 1, SERVER, 2), 9, bytes([47])), CONTROL[:30]]
)
def test_what_cannot_be_finished_is_an_error(packet: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        finish(bytearray(packet))


def test_udp_has_expectations_too() -> None:
    router = helped()
    parent = control(router)
    expected = router.table.expect(
        parent.session, parent.serial, UDP, (CLIENT, 6970), SERVER, 0, 60, now=router.now
    )
    assert read(router.into(udp(SERVER, 9000, *expected.external)))[2:] == (CLIENT, 6970)
