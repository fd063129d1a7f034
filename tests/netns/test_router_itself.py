"""The router's own programs: what has a local socket is not nfmasq's."""

import socket
from collections.abc import Iterator

import pytest

from nfmasq.lab.clients import ask, connections, download, ping, seen_by, traceroute
from nfmasq.lab.lab import Lab
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import EXTERNAL, ISP, SERVER1, SERVER2, Topology


@pytest.fixture(scope="module", autouse=True)
def _servers_on_the_router(lab: Lab) -> Iterator[None]:
    with Servers([lab.topology.router], lab.payload):
        yield


def test_the_router_loads_a_web_page(net: Topology) -> None:
    assert seen_by(net.router, SERVER1)[0] == EXTERNAL


def test_the_router_downloads_whole(net: Topology, lab: Lab) -> None:
    assert download(net.router, SERVER1).sha256 == lab.payload.sha256


def test_the_router_pings(net: Topology) -> None:
    assert ping(net.router, SERVER2, count=2).received == 2


def test_the_router_traces_its_way(net: Topology) -> None:
    assert traceroute(net.router, SERVER2) == [str(ISP), str(SERVER2)]
    assert traceroute(net.router, SERVER2, "-I") == [str(ISP), str(SERVER2)]


def test_the_router_asks_by_udp(net: Topology) -> None:
    assert ask(net.router, (SERVER2, 7), b"echo") == b"echo"


def test_a_local_port_inside_the_nat_range_answers_to_its_program(net: Topology) -> None:
    assert ask(net.router, (SERVER2, 7), b"echo", source_port=2000) == b"echo"


@pytest.mark.parametrize("port", [8080, 30000])
def test_a_listener_on_the_router_is_reached_from_the_wan(net: Topology, port: int) -> None:
    with (
        net.router.call(socket.create_server, ("", port)) as listener,
        net.server1.call(socket.create_connection, (str(EXTERNAL), port), 3) as remote,
    ):
        remote.sendall(b"hello")
        accepted, (address, _) = listener.accept()
        with accepted:
            assert (address, accepted.recv(100)) == (str(SERVER1), b"hello")
            accepted.sendall(b"welcome")
            assert remote.recv(100) == b"welcome"


def test_a_web_server_on_the_router_serves_both_sides(net: Topology, lab: Lab) -> None:
    assert download(net.server1, EXTERNAL).sha256 == lab.payload.sha256
    assert connections(net.client1, net.router_internal, 10)[0]


def test_the_router_is_pinged_from_both_sides(net: Topology) -> None:
    assert ping(net.server2, EXTERNAL, count=2).received == 2
    assert ping(net.client1, net.router_internal, count=2).received == 2


def test_a_port_the_router_holds_is_never_given_to_a_client(net: Topology) -> None:
    """A thousand mappings beside a listener in the range: the listener keeps its port."""
    with net.router.call(socket.create_server, ("", 12345)):
        endpoints, _ = connections(net.client1, SERVER1, 200)
        assert (EXTERNAL, 12345) not in endpoints
        net.server1.call(socket.create_connection, (str(EXTERNAL), 12345), 3).close()
