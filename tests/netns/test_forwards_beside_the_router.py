"""Forwards on a router with sockets of its own: who gets what comes in, and as whom its targets go out."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest

from nfmasq.lab.clients import ask, download, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import Endpoint
from nfmasq.lab.programs import Servers
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

GIVEN = IPv4Address("203.0.113.3")
"""An external address that is one internal host's alone."""
LAB = {
    "config": {"nat": {"addresses": [str(EXTERNAL), str(GIVEN)]}},
    "also_external": (GIVEN,),
}
PORT, INNER, HIGH = 8081, 7000, 50000

Add = Callable[..., str]
Sockets = dict[str, socket.socket]


@pytest.fixture(autouse=True, scope="module")
def _addresses(lab: Lab) -> None:
    lab.topology.router.ip(f"address add {GIVEN}/32 dev wan0")


@pytest.fixture
def add(daemon: DaemonUnderLab) -> Iterator[Add]:
    """Add a forward until the end of the test: add(protocol=…, external_port=…, to=…) returns its id."""
    added: list[str] = []

    def one(**keys: Any) -> str:
        added.append(daemon.api("/v1/forwards", "POST", keys)["id"])
        return added[-1]

    daemon.cli("flush", "--all")
    yield one
    there = {row["id"] for row in daemon.api("/v1/forwards")["forwards"]}
    for identity in there.intersection(added):
        daemon.api(f"/v1/forwards/{identity}", "DELETE")


@contextmanager
def _sockets(port: int, **hosts: Namespace) -> Iterator[Sockets]:
    """A UDP socket on each host."""
    with ExitStack() as stack:
        made = {}
        for name, host in hosts.items():
            made[name] = stack.enter_context(host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM))
            made[name].bind(("", port))
            made[name].setblocking(False)
        yield made


def _gets_it(net: Topology, to: Endpoint, sockets: Sockets) -> str:
    """Send from server1 to an external endpoint; whose socket got it, with server1's address on it."""
    found: list[str] = []

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", (str(to[0]), to[1]))

    def arrived() -> list[str]:
        for name, sock in sockets.items():
            try:
                data, (address, _) = sock.recvfrom(100)
            except BlockingIOError:
                continue
            assert (data, address) == (b"hello", str(SERVER1))
            found.append(name)
        return found

    net.server1.call(send)
    wait_until(arrived, "the datagram to arrive somewhere")
    return found[0]


def test_a_forwarded_port_goes_inside_though_the_router_listens_there(net: Topology, add: Add) -> None:
    with _sockets(PORT, router=net.router, client1=net.client1) as sockets:
        assert _gets_it(net, (EXTERNAL, PORT), sockets) == "router"
        add(protocol="udp", external_address=str(EXTERNAL), external_port=PORT, to=str(CLIENT1))
        assert _gets_it(net, (EXTERNAL, PORT), sockets) == "client1"
        assert _gets_it(net, (GIVEN, PORT), sockets) == "router"


def test_a_forward_that_is_removed_takes_no_more(net: Topology, daemon: DaemonUnderLab, add: Add) -> None:
    identity = add(protocol="udp", external_port=PORT, to=str(CLIENT1))
    with _sockets(PORT, router=net.router, client1=net.client1) as sockets:
        assert _gets_it(net, (EXTERNAL, PORT), sockets) == "client1"
        daemon.api(f"/v1/forwards/{identity}", "DELETE")
        daemon.cli("flush", "--all")
        assert _gets_it(net, (EXTERNAL, PORT), sockets) == "router"


def test_a_low_port_serves_files(net: Topology, lab: Lab, add: Add) -> None:
    add(protocol="tcp", external_port=80, to=f"{CLIENT1}:80")
    with Servers([net.client1], lab.payload):
        for server in (net.server1, net.server2):
            assert download(server, EXTERNAL).sha256 == lab.payload.sha256


def test_a_range_with_another_base_and_its_way_out(net: Topology, add: Add) -> None:
    """Port by port it is a static mapping: what the target begins goes out by the same endpoint."""
    add(protocol="udp", external_port="9000-9009", to=f"{CLIENT1}:{INNER}-{INNER + 9}")
    with _sockets(INNER + 3, client1=net.client1, client2=net.client2) as sockets:
        assert _gets_it(net, (EXTERNAL, 9003), sockets) == "client1"
    answer = ask(net.client1, (SERVER1, 53), b"", source_port=INNER + 5)
    assert answer.split()[1] == b"9005"


def test_several_targets_share_what_comes(net: Topology, add: Add) -> None:
    add(protocol="udp", external_port=PORT, to=[f"{CLIENT1}:{INNER}", f"{CLIENT2}:{INNER}"])
    with _sockets(INNER, client1=net.client1, client2=net.client2) as sockets:
        got = [_gets_it(net, (EXTERNAL, PORT), sockets) for _ in range(10)]
    assert sorted(got) == ["client1"] * 5 + ["client2"] * 5


def test_the_default_host_gets_what_the_router_does_not_take(net: Topology, add: Add) -> None:
    add(to=str(CLIENT1))
    for port in (INNER, HIGH):
        with _sockets(port, client1=net.client1, client2=net.client2) as sockets:
            assert _gets_it(net, (EXTERNAL, port), sockets) == "client1"
        with _sockets(port, router=net.router, client1=net.client1) as sockets:
            assert _gets_it(net, (EXTERNAL, port), sockets) == "router"
    with Wire(net.client1, "eth0") as wire:
        assert ping(net.server1, EXTERNAL, count=2).received == 2
        assert not [packet for packet in wire.seen() if packet[9] == socket.IPPROTO_ICMP]
    assert net.router.run("curl", "-sS", "-m", "5", f"http://{SERVER1}/seen").startswith(str(EXTERNAL))


def test_an_address_given_to_a_host_is_its_own_in_both_directions(net: Topology, add: Add) -> None:
    add(external_address=str(GIVEN), to=str(CLIENT2))
    for port in (22, INNER, HIGH):
        with _sockets(port, client2=net.client2, router=net.router) as sockets:
            assert _gets_it(net, (GIVEN, port), sockets) == "client2"
    for port in (22, HIGH):
        assert ask(net.client2, (SERVER1, 53), b"", source_port=port).split() == [
            str(GIVEN).encode(),
            str(port).encode(),
        ]
    assert ask(net.client1, (SERVER1, 53), b"").startswith(str(EXTERNAL).encode())
    with Wire(net.client2, "eth0") as wire:
        assert ping(net.server1, GIVEN, count=2).received == 2
        requests = [p for p in wire.seen() if p[9] == socket.IPPROTO_ICMP and p[16:20] == CLIENT2.packed]
    assert len(requests) == 2
