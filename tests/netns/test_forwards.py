"""Forwards end to end: what somebody outside reaches, added and removed while the daemon runs."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import ACK, SYN, tcp
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

SECOND_EXTERNAL = IPv4Address("203.0.113.3")
LAB = {"also_external": (SECOND_EXTERNAL,)}
PATIENCE_S = 10.0
SILENCE_S = 0.5
"""How long is waited for what must not come."""


@pytest.fixture(autouse=True)
def _no_forwards_stay(daemon: DaemonUnderLab) -> Iterator[None]:
    yield
    for row in daemon.api("/v1/forwards")["forwards"]:
        daemon.api(f"/v1/forwards/{row['id']}", "DELETE")


def forward(daemon: DaemonUnderLab, to: Any, **keys: Any) -> str:
    """Add a forward; return its id."""
    added = daemon.api("/v1/forwards", "POST", {"to": to, **keys})
    assert added["warnings"] == []
    return str(added["id"])


@contextmanager
def open_socket(host: Namespace, kind: socket.SocketKind, port: int = 0) -> Iterator[socket.socket]:
    """A socket of a host, bound to a port; TCP with a port listens."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(PATIENCE_S)
        made.bind(("", port))
        if port and kind == socket.SOCK_STREAM:
            made.listen()
        return made

    with host.call(make) as made:
        yield made


@contextmanager
def connected(client: Namespace, address: str, port: int, server: socket.socket) -> Iterator[Any]:
    """A TCP connection to an address and port that ends at `server`: both its ends, and who was seen."""
    with open_socket(client, socket.SOCK_STREAM) as near:
        near.connect((address, port))
        far, peer = server.accept()
        with far:
            far.settimeout(PATIENCE_S)
            yield near, far, peer[0]


def exchange(near: socket.socket, far: socket.socket) -> None:
    """A word each way."""
    near.sendall(b"there")
    assert far.recv(100) == b"there"
    far.sendall(b"and back")
    assert near.recv(100) == b"and back"


def refused(client: Namespace, port: int) -> bool:
    """Does no connection to the external address come about, neither refused nor made?"""
    with open_socket(client, socket.SOCK_STREAM) as near:
        near.settimeout(SILENCE_S)
        try:
            near.connect((str(EXTERNAL), port))
        except OSError:
            return True
    return False


def test_a_port_leads_to_another_port_inside_which_sees_the_real_remote(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    forward(daemon, f"{CLIENT1}:80", protocol="tcp", external_port=8080)
    with (
        open_socket(net.client1, socket.SOCK_STREAM, 80) as web,
        connected(net.server1, str(EXTERNAL), 8080, web) as (near, far, seen),
    ):
        assert seen == str(SERVER1)
        exchange(near, far)
        (row,) = daemon.api("/v1/forwards")["forwards"]
        assert row["sessions"] == 1


def test_a_range_leads_to_one_with_another_base_port_by_port(net: Topology, daemon: DaemonUnderLab) -> None:
    forward(daemon, f"{CLIENT1}:7000-7009", protocol="udp", external_port="5000-5009")
    with (
        open_socket(net.client1, socket.SOCK_DGRAM, 7003) as inside,
        open_socket(net.server1, socket.SOCK_DGRAM) as outside,
    ):
        outside.sendto(b"hello", (str(EXTERNAL), 5003))
        said, peer = inside.recvfrom(100)
        assert (said, peer[0]) == (b"hello", str(SERVER1))
        inside.sendto(b"answer", peer)
        assert outside.recvfrom(100) == (b"answer", (str(EXTERNAL), 5003))


def test_a_forward_that_is_removed_lets_its_live_session_go_on(net: Topology, daemon: DaemonUnderLab) -> None:
    identity = forward(daemon, str(CLIENT1), protocol="tcp", external_port=8080)
    with (
        open_socket(net.client1, socket.SOCK_STREAM, 8080) as web,
        connected(net.server1, str(EXTERNAL), 8080, web) as (near, far, _),
    ):
        exchange(near, far)
        daemon.api(f"/v1/forwards/{identity}", "DELETE")
        exchange(near, far)
        assert refused(net.server1, 8080)


def test_several_hosts_share_the_sessions(net: Topology, daemon: DaemonUnderLab) -> None:
    daemon.api("/v1/flush", "POST", {"all": True})  # the host with the fewest sessions gets the next
    forward(daemon, [str(CLIENT1), f"{CLIENT2}:81"], protocol="tcp", external_port=80)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(open_socket(net.client1, socket.SOCK_STREAM, 80)),
            stack.enter_context(open_socket(net.client2, socket.SOCK_STREAM, 81)),
        ]
        for _ in range(4):
            near = stack.enter_context(open_socket(net.server1, socket.SOCK_STREAM))
            near.connect((str(EXTERNAL), 80))
        for server in servers:
            for _ in range(2):
                stack.enter_context(server.accept()[0])


def test_a_named_port_goes_before_the_routers_own_socket_and_the_default_host_after(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    forward(daemon, str(CLIENT1), protocol="tcp", external_port=2222)
    forward(daemon, str(CLIENT2))
    with ExitStack() as stack:
        named = stack.enter_context(open_socket(net.client1, socket.SOCK_STREAM, 2222))
        default = stack.enter_context(open_socket(net.client2, socket.SOCK_STREAM, 4444))
        own = stack.enter_context(open_socket(net.router, socket.SOCK_STREAM, 3333))
        stack.enter_context(open_socket(net.router, socket.SOCK_STREAM, 2222))
        for port, server in ((2222, named), (4444, default), (3333, own)):
            with connected(net.server1, str(EXTERNAL), port, server) as (near, far, _):
                exchange(near, far)


def _waits_for(daemon: DaemonUnderLab, address: str) -> bool:
    """Whether a forward waits for this external address."""
    lines: list[str] = daemon.api("/v1/status")["warnings"]
    return any(f"there is no external address {address}" in line for line in lines)


def test_an_address_of_its_own_works_both_ways(net: Topology, daemon: DaemonUnderLab) -> None:
    net.router.ip(f"address add {SECOND_EXTERNAL}/32 dev wan0")
    try:
        there = str(SECOND_EXTERNAL)
        daemon.api("/v1/forwards", "POST", {"to": str(CLIENT2), "external_address": there})
        wait_until(lambda: not _waits_for(daemon, there), "the second address")
        with (
            open_socket(net.client2, socket.SOCK_STREAM, 9999) as inside,
            connected(net.server1, there, 9999, inside) as (near, far, _),
        ):
            exchange(near, far)
        with (
            open_socket(net.server1, socket.SOCK_STREAM, 9999) as outside,
            connected(net.client2, str(SERVER1), 9999, outside) as (near, far, seen),
        ):
            assert seen == there
            exchange(near, far)
    finally:
        net.router.ip(f"address del {SECOND_EXTERNAL}/32 dev wan0")
        wait_until(lambda: _waits_for(daemon, there), "it to be gone")


def test_an_answer_to_a_forwarded_port_that_nobody_asked_for_is_dropped_with_its_reason(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    """Also outside nat.ports: the router's own stack would reset the connection."""
    forward(daemon, f"{CLIENT1}:80", protocol="tcp", external_port="443")
    before = daemon.drops().get("tcp_no_session", 0)
    with Wire(net.server1, "eth0", (net.router, "wan0")) as wire:
        wire.send_ip(tcp((SERVER1, 50000), (EXTERNAL, 443), SYN | ACK, 1, 1))
        wait_until(lambda: daemon.drops().get("tcp_no_session", 0) == before + 1, "the drop to be counted")
        assert not [packet for packet in wire.seen() if packet[9] == socket.IPPROTO_TCP and packet[33] & 4]
