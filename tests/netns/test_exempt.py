"""Destinations that are not translated (RFC 6888 REQ-6), while the daemon runs and reloads."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from nfmasq.lab.clients import ask, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, SERVER2, Topology

EXEMPT = {"nat": {"except": [f"{SERVER1}/32"]}}
LAB = {"config": EXEMPT}
PORT, WHO = 5000, 53


@pytest.fixture(autouse=True, scope="module")
def _ways_back(lab: Lab) -> None:
    """Everybody outside knows a way to the internal network: whether it is open is up to nfmasq."""
    lab.topology.open_return_routes()


@pytest.fixture(autouse=True)
def _only_the_exempt_destination_sees_internal_addresses(lab: Lab) -> Iterator[None]:
    yield
    for leak in lab.sentinel.take():
        header = leak.rpartition(" ")[2]
        assert header[32:40] == SERVER1.packed.hex(), leak


@pytest.fixture
def translating(daemon: DaemonUnderLab) -> Iterator[None]:
    """Nothing is exempt for a while."""
    daemon.write_config({"nat": {"except": []}})
    daemon.cli("reload")
    yield
    daemon.write_config(EXEMPT)
    daemon.cli("reload")


def _seen_as(net: Topology, server: IPv4Address) -> str:
    return ask(net.client1, (server, WHO), b"who").split()[0].decode()


def _calls(caller: Namespace, net: Topology) -> str:
    """Open a connection to the first client and get an answer; as whom the client sees the caller."""
    with net.client1.call(socket.create_server, (str(CLIENT1), PORT)) as listener:
        listener.settimeout(3)
        with caller.call(socket.create_connection, (str(CLIENT1), PORT), 2) as calling:
            accepted, address = listener.accept()
            with accepted:
                accepted.sendall(b"answer")
                assert calling.recv(100) == b"answer"
    return str(address[0])


def test_an_exempt_destination_sees_the_internal_address_and_others_do_not(net: Topology) -> None:
    assert _seen_as(net, SERVER1) == str(CLIENT1)
    assert _seen_as(net, SERVER2) == str(EXTERNAL)
    assert ping(net.client1, SERVER1, count=2).received == 2


def test_an_exempt_destination_opens_a_connection_inwards_and_others_do_not(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    assert _calls(net.server1, net) == str(SERVER1)
    before = daemon.drops().get("destination_internal", 0)
    with pytest.raises(TimeoutError):
        _calls(net.server2, net)
    assert daemon.drops()["destination_internal"] > before


@pytest.mark.usefixtures("translating")
def test_a_reload_ends_it(net: Topology) -> None:
    assert _seen_as(net, SERVER1) == str(EXTERNAL)
    with pytest.raises(TimeoutError):
        _calls(net.server1, net)


def test_a_session_of_no_exempt_destination_lives_through_a_reload_that_changes_them(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    with net.server2.call(socket.create_server, (str(SERVER2), PORT)) as listener:
        listener.settimeout(5)
        calling = net.client1.call(socket.create_connection, (str(SERVER2), PORT), 5)
        accepted, seen = listener.accept()
        with calling, accepted:
            assert seen[0] == str(EXTERNAL)
            for exempt in ([], [f"{SERVER1}/32", "10.8.0.0/16"], [f"{SERVER1}/32"]):
                daemon.write_config({"nat": {"except": exempt}})
                daemon.cli("reload")
                accepted.sendall(b"still there")
                assert calling.recv(100) == b"still there"


def test_while_the_daemon_is_gone_only_exempt_destinations_are_reached(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    daemon.kill()
    try:
        assert _seen_as(net, SERVER1) == str(CLIENT1)
        with pytest.raises(ProgramError):
            ask(net.client1, (SERVER2, WHO), b"who", tries=1)
    finally:
        daemon.start()
    assert _seen_as(net, SERVER2) == str(EXTERNAL)
