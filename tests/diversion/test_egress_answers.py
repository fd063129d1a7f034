"""For a port of nfmasq the router's own stack says nothing, on either side, with no rules there."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.path import CLIENT, EXTERNAL, SERVER, Path
from support.paths import outside

from diversion.traffic import eventually
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget
from nfmasq.diversion import DiversionPlan
from nfmasq.diversion.egress import EgressGuard
from nfmasq.lab.namespace import Namespace

pytestmark = pytest.mark.root

TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
HANDED_OUT = ((20000, 29999),)
OURS, OWN, FORWARDED = 25000, 40000, 8080
SECOND = "203.0.113.2"
HOST = ForwardTarget(IPv4Address(CLIENT))


def _forward(
    protocol: int = TCP, address: str | None = None, ports: tuple[int, int] = (FORWARDED, FORWARDED)
) -> Forward:
    return Forward(protocol, IPv4Address(address) if address else None, ports, (HOST,))


PORTS = _forward()
OF_ONE_ADDRESS = _forward(address=SECOND)
WHOLE_ADDRESS = _forward(ANY_PROTOCOL, SECOND, ALL_PORTS)
DEFAULT_HOST = _forward(ANY_PROTOCOL, None, ALL_PORTS)


@contextmanager
def _guarded(path: Path, plan: DiversionPlan, *forwards: Forward) -> Iterator[EgressGuard]:
    path.router.ip(f"address add {SECOND}/24 dev wan0")
    path.client.ip(f"route add {EXTERNAL}/32 via 192.168.1.1")
    made = EgressGuard()
    whole = replace(
        plan, ports=HANDED_OUT, forwards=forwards, hairpinning=True, externals=outside(EXTERNAL, SECOND)
    )
    path.router.call(made.install, whole)
    try:
        yield made
    finally:
        path.router.call(made.remove)


def _segment_is_answered(host: Namespace, address: str, port: int) -> bool:
    """Whether anything answers a SYN."""
    with host.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.settimeout(0.4)
        return bool(opened.connect_ex((address, port)) in (0, 111))


def _datagram_is_answered(host: Namespace, address: str, port: int) -> bool:
    """Whether a datagram, or an error, answers a datagram."""
    with host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(0.4)
        opened.connect((address, port))
        opened.send(b"question")
        try:
            return bool(opened.recv(100))
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False


@contextmanager
def _services(path: Path, port: int) -> Iterator[None]:
    """Programs of the router at this port: a listener of TCP, and one that echoes datagrams."""
    with (
        path.router.call(socket.create_server, ("", port)),
        path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as echo,
    ):
        echo.bind(("", port))
        echo.settimeout(0.05)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    data, sender = echo.recvfrom(100)
                    echo.sendto(data, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _both_sides(path: Path) -> tuple[Namespace, Namespace]:
    return path.server, path.client


def test_without_a_socket_neither_side_gets_an_answer_for_a_port_handed_out(
    path: Path, plan: DiversionPlan
) -> None:
    with _guarded(path, plan) as guard:
        for host in _both_sides(path):
            assert not _segment_is_answered(host, EXTERNAL, OURS)
            assert not _datagram_is_answered(host, EXTERNAL, OURS)
        assert eventually(lambda: guard.dropped()["own_answer"] >= 4)


def test_for_any_other_port_both_sides_get_it(path: Path, plan: DiversionPlan) -> None:
    with _guarded(path, plan, PORTS) as guard:
        for host in _both_sides(path):
            assert _segment_is_answered(host, EXTERNAL, OWN)
            assert _datagram_is_answered(host, EXTERNAL, OWN)
        assert guard.dropped()["own_answer"] == 0


def test_a_client_gets_its_answers_from_the_routers_internal_address(path: Path, plan: DiversionPlan) -> None:
    """An internal interface's program is for hairpinned sessions alone."""
    with _guarded(path, plan, PORTS), _services(path, FORWARDED):
        for port in (OURS, FORWARDED, OWN):
            assert _segment_is_answered(path.client, "192.168.1.1", port)
            assert _datagram_is_answered(path.client, "192.168.1.1", port)


def test_a_listener_of_the_router_does_not_answer_for_a_forwarded_port(
    path: Path, plan: DiversionPlan
) -> None:
    with _guarded(path, plan, PORTS, _forward(UDP)), _services(path, FORWARDED):
        for host in _both_sides(path):
            assert not _segment_is_answered(host, EXTERNAL, FORWARDED)
            assert not _datagram_is_answered(host, EXTERNAL, FORWARDED)


def test_a_forward_of_one_protocol_leaves_the_other_to_the_router(path: Path, plan: DiversionPlan) -> None:
    with _guarded(path, plan, PORTS), _services(path, FORWARDED):
        assert not _segment_is_answered(path.server, EXTERNAL, FORWARDED)
        assert _datagram_is_answered(path.server, EXTERNAL, FORWARDED)


def test_a_forward_of_one_address_leaves_the_others_to_the_router(path: Path, plan: DiversionPlan) -> None:
    with _guarded(path, plan, OF_ONE_ADDRESS), _services(path, FORWARDED):
        assert not _segment_is_answered(path.server, SECOND, FORWARDED)
        assert _segment_is_answered(path.server, EXTERNAL, FORWARDED)


def test_a_whole_address_is_silent_at_every_port(path: Path, plan: DiversionPlan) -> None:
    with _guarded(path, plan, WHOLE_ADDRESS), _services(path, OWN):
        for port in (OWN, FORWARDED):
            assert not _segment_is_answered(path.server, SECOND, port)
            assert not _datagram_is_answered(path.server, SECOND, port)
        assert _segment_is_answered(path.server, EXTERNAL, OWN)


def test_beside_a_default_host_the_routers_programs_answer_and_its_stack_does_not(
    path: Path, plan: DiversionPlan
) -> None:
    with _guarded(path, plan, DEFAULT_HOST), _services(path, OWN):
        assert _segment_is_answered(path.server, EXTERNAL, OWN)
        assert _datagram_is_answered(path.server, EXTERNAL, OWN)
        assert not _segment_is_answered(path.server, EXTERNAL, FORWARDED)
        assert not _datagram_is_answered(path.server, EXTERNAL, FORWARDED)


def test_a_forward_that_ended_gives_its_port_back(path: Path, plan: DiversionPlan) -> None:
    with _guarded(path, plan, PORTS, OF_ONE_ADDRESS) as guard, _services(path, FORWARDED):
        assert not _segment_is_answered(path.server, EXTERNAL, FORWARDED)
        path.router.call(guard.install, replace(plan, ports=HANDED_OUT, externals=outside(EXTERNAL, SECOND)))
        assert _segment_is_answered(path.server, EXTERNAL, FORWARDED)
        assert _segment_is_answered(path.server, SECOND, FORWARDED)


@pytest.mark.parametrize(("handed_out", "answered"), [(((30000, 39999),), True), (((24000, 26000),), False)])
def test_other_ports_are_followed(
    path: Path, plan: DiversionPlan, handed_out: tuple[tuple[int, int], ...], answered: bool
) -> None:
    with _guarded(path, plan) as guard:
        path.router.call(guard.install, replace(plan, ports=handed_out))
        assert _segment_is_answered(path.server, EXTERNAL, OURS) == answered
        assert _datagram_is_answered(path.server, EXTERNAL, OURS) == answered


def test_the_routers_own_connections_go_out(path: Path, plan: DiversionPlan) -> None:
    with (
        _guarded(path, plan, PORTS, DEFAULT_HOST) as guard,
        path.server.call(socket.create_server, ("", FORWARDED)),
    ):
        assert _segment_is_answered(path.router, SERVER, FORWARDED)
        assert not any(guard.dropped().values())


def test_a_protocol_without_ports_is_not_refused(path: Path, plan: DiversionPlan) -> None:
    """ICMP's protocol unreachable would end a tunnel (GRE) of an internal host."""
    with (
        _guarded(path, plan) as guard,
        path.server.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, 47) as gre,
    ):
        gre.sendto(bytes(8), (EXTERNAL, 0))
        assert eventually(lambda: guard.dropped()["own_answer"] == 1)
