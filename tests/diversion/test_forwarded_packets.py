"""Which packets forwards take to the queue, and whether the router's own sockets come first."""

import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.nfqueue import PREROUTING, KernelQueue
from support.path import CLIENT, EXTERNAL, QUEUE, Path
from support.paths import outside

from diversion.rules import saved
from diversion.traffic import ECHO_REQUEST, ICMP, OWN_PORT, POOL_PORT, icmp, raw, udp
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget
from nfmasq.diversion import Diversion, DiversionPlan

pytestmark = pytest.mark.root

UDP, TCP = socket.IPPROTO_UDP, socket.IPPROTO_TCP
SECOND = "203.0.113.3"
TARGETS = (ForwardTarget(IPv4Address(CLIENT)),)
LOW_PORT = 80
OF_THE_POOL = 4
"""Rules for the ports handed out: both protocols, in both looks."""

Divert = Callable[..., Path]


def _forward(protocol: int, external: str | None, ports: tuple[int, int] = ALL_PORTS) -> Forward:
    return Forward(protocol, IPv4Address(external) if external else None, ports, TARGETS)


@pytest.fixture
def divert(path: Path, diversion: Diversion, plan: DiversionPlan) -> Divert:
    """Lay the rules for some forwards on a router that has two external addresses."""

    def lay(*forwards: Forward) -> Path:
        path.router.ip(f"address add {SECOND}/24 dev wan0")
        path.router.call(
            diversion.install, replace(plan, externals=outside(EXTERNAL, SECOND), forwards=forwards)
        )
        assert path.router.call(diversion.present)
        return path

    return lay


def _local(path: Path, port: int) -> socket.socket:
    """A UDP socket of the router on every address."""
    opened: socket.socket = path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("0.0.0.0", port))
    opened.settimeout(5)
    return opened


def _is_queued(path: Path, address: str, port: int) -> bool:
    """Does a datagram to this endpoint go to the queue, past the router's own socket there?"""
    with _local(path, port) as local, KernelQueue(path.router, QUEUE).open() as queue:
        udp(path.server, address, port)
        if queue.receive(0.3):
            return True
        assert local.recv(100) == b"x"
        return False


def test_a_forwarded_port_is_queued_though_a_local_socket_holds_it(divert: Divert) -> None:
    path = divert(_forward(UDP, None, (LOW_PORT, LOW_PORT)))
    assert _is_queued(path, EXTERNAL, LOW_PORT)
    assert _is_queued(path, SECOND, LOW_PORT)
    assert not _is_queued(path, EXTERNAL, LOW_PORT + 1)


def test_a_port_forwarded_for_another_protocol_is_left_alone(divert: Divert) -> None:
    assert not _is_queued(divert(_forward(TCP, None, (LOW_PORT, LOW_PORT))), EXTERNAL, LOW_PORT)


def test_a_port_forwarded_at_one_address_is_left_alone_at_the_other(divert: Divert) -> None:
    path = divert(_forward(ANY_PROTOCOL, SECOND, (OWN_PORT, OWN_PORT + 9)))
    assert _is_queued(path, SECOND, OWN_PORT + 9)
    assert not _is_queued(path, SECOND, OWN_PORT + 10)
    assert not _is_queued(path, EXTERNAL, OWN_PORT)


def test_of_an_address_given_away_everything_is_queued(divert: Divert) -> None:
    path = divert(_forward(ANY_PROTOCOL, SECOND))
    for port in (LOW_PORT, POOL_PORT, OWN_PORT):
        assert _is_queued(path, SECOND, port)
        assert not _is_queued(path, EXTERNAL, port)
    with KernelQueue(path.router, QUEUE).open() as queue:
        raw(path.server, ICMP, icmp(ECHO_REQUEST), SECOND)
        assert queue.receive()


def test_the_default_host_gets_what_no_local_socket_takes(divert: Divert) -> None:
    path = divert(_forward(ANY_PROTOCOL, None))
    for port in (LOW_PORT, OWN_PORT):
        assert not _is_queued(path, EXTERNAL, port)
    with KernelQueue(path.router, QUEUE).open() as queue:
        for port in (LOW_PORT, OWN_PORT):
            udp(path.server, EXTERNAL, port)
            packet = queue.receive()
            assert packet is not None
            assert packet.hook == PREROUTING, "it is the router's own answer"


def test_answers_to_the_router_itself_reach_it_beside_a_default_host(divert: Divert) -> None:
    path = divert(_forward(ANY_PROTOCOL, None))
    with path.server.call(socket.create_server, ("", 80)) as listener:
        calling: socket.socket = path.router.call(socket.create_connection, ("203.0.113.9", 80), 5)
        accepted, _ = listener.accept()
        with calling, accepted:
            accepted.sendall(b"answer")
            assert calling.recv(100) == b"answer"


def test_hundreds_of_forwards_take_few_rules_and_each_is_queued(divert: Divert) -> None:
    ports = range(33000, 33600, 2)
    path = divert(*(_forward(UDP, None, (port, port)) for port in ports))
    # Once for each of the two looks; a packet meets one of them.
    assert len([line for line in saved(path) if "multiport" in line]) <= 2 * len(ports) / 15 + OF_THE_POOL
    for port in (ports[0], ports[14], ports[15], ports[-1]):
        assert _is_queued(path, EXTERNAL, port)
    assert not _is_queued(path, EXTERNAL, ports[0] + 1)
