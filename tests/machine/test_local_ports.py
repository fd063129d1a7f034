"""The ports of the router's own sockets."""

import socket

import pytest
from support.path import EXTERNAL, Path

from nfmasq.machine.local_ports import local_ports, local_range

pytestmark = pytest.mark.root


@pytest.mark.parametrize("address", ["0.0.0.0", EXTERNAL])
def test_ports_that_local_sockets_hold_are_told_by_protocol(path: Path, address: str) -> None:
    with (
        path.router.call(socket.create_server, (address, 2000)),
        path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as udp,
        path.router.call(socket.create_server, (address, 40000)),
    ):
        udp.bind((address, 3000))
        assert path.router.call(local_ports, 1024, 32767) == (frozenset({2000}), frozenset({3000}))
    assert path.router.call(local_ports, 1024, 32767) == (frozenset(), frozenset())


def test_an_ipv6_socket_holds_its_port_in_ipv4_too(path: Path) -> None:
    with path.router.call(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.bind(("::", 3000))
        assert path.router.call(local_ports, 3000, 3000) == (frozenset(), frozenset({3000}))


def test_the_range_of_the_routers_own_connections_is_the_kernels(path: Path) -> None:
    path.router.sysctl("ipv4/ip_local_port_range", "40000 50000")
    assert path.router.call(local_range) == (40000, 50000)
