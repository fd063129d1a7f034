"""Which packets the rules take to the queue, and which they leave alone, on a real router."""

import socket
import struct
from dataclasses import replace

import pytest
from support.nfqueue import ACCEPT, DROP, POSTROUTING, PREROUTING, KernelQueue, Packet
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, SERVER, Path
from support.wire import Seen, with_source

from diversion.traffic import (
    ECHO_REQUEST,
    GRE,
    ICMP,
    OWN_PORT,
    POOL_PORT,
    UNREACHABLE,
    exchange_over_tcp,
    icmp,
    raw,
    udp,
)
from nfmasq.diversion import Diversion, DiversionPlan

pytestmark = pytest.mark.root

ROUTED, BEYOND = "198.51.100.7", "192.0.2.1"
"""An external address that is on no interface; a host further away."""


@pytest.fixture
def diverted(path: Path, diversion: Diversion, plan: DiversionPlan) -> Path:
    """The router with the rules in force."""
    path.router.call(diversion.install, plan)
    return path


def _next(queue: KernelQueue) -> Packet:
    packet = queue.receive()
    assert packet is not None
    return packet


def test_what_leaves_from_an_internal_to_the_external_interface_is_queued_and_can_be_translated(
    diverted: Path,
) -> None:
    with (
        diverted.sender() as sender,
        diverted.receiver() as receiver,
        KernelQueue(diverted.router, QUEUE).open() as queue,
    ):
        sender.send(b"out")
        packet = _next(queue)
        assert packet.hook == POSTROUTING
        queue.decide(packet, ACCEPT, with_source(packet.payload, EXTERNAL))
        assert receiver.recvfrom(100) == (b"out", (EXTERNAL, sender.getsockname()[1]))


def test_what_comes_in_by_an_interface_that_is_not_internal_is_not_ours(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, replace(plan, internal=("lan1",)))
    with path.sender() as sender, path.receiver() as receiver:
        sender.send(b"routed")
        assert receiver.recvfrom(100)[0] == b"routed"


def test_the_routers_own_packets_are_not_queued(diverted: Path) -> None:
    with diverted.receiver() as receiver:
        own: socket.socket = diverted.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        with own:
            own.sendto(b"own", (SERVER, PORT))
            assert receiver.recv(100) == b"own"


def test_a_packet_for_a_port_of_the_pool_is_queued_before_routing(diverted: Path) -> None:
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        for port in (1024, POOL_PORT, 32767):
            udp(diverted.server, EXTERNAL, port, b"in")
            packet = _next(queue)
            assert packet.hook == PREROUTING
            assert struct.unpack_from("!H", packet.payload, 22)[0] == port


def test_a_packet_for_a_port_outside_the_pool_reaches_the_routers_own_socket(diverted: Path) -> None:
    for port in (1023, 32768, OWN_PORT):
        local: socket.socket = diverted.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        with local:
            local.bind(("0.0.0.0", port))
            local.settimeout(5)
            udp(diverted.server, EXTERNAL, port, b"mine")
            assert local.recv(100) == b"mine"


@pytest.mark.parametrize("address", ["0.0.0.0", EXTERNAL])
def test_a_local_listener_on_a_port_of_the_pool_is_reached_past_the_queue_rules(
    diverted: Path, address: str
) -> None:
    exchange_over_tcp(diverted, address)


def test_a_local_udp_socket_on_a_port_of_the_pool_is_reached_past_the_queue_rules(diverted: Path) -> None:
    local: socket.socket = diverted.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with local:
        local.bind(("0.0.0.0", POOL_PORT))
        local.settimeout(5)
        udp(diverted.server, EXTERNAL, POOL_PORT, b"for the router")
        assert local.recv(100) == b"for the router"


def test_a_fragmented_datagram_for_a_port_of_the_pool_is_queued_whole(diverted: Path) -> None:
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        udp(diverted.server, EXTERNAL, POOL_PORT, b"x" * 4000)
        assert len(_next(queue).payload) == 4028


def test_icmp_and_portless_protocols_for_the_router_are_queued(diverted: Path) -> None:
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        raw(diverted.server, ICMP, icmp(ECHO_REQUEST))
        assert _next(queue).payload[9] == ICMP
        raw(diverted.server, GRE, b"\0" * 8)
        assert _next(queue).payload[9] == GRE


def test_a_packet_from_outside_for_an_internal_host_is_queued_to_be_dropped(diverted: Path) -> None:
    diverted.server.ip(f"route add 192.168.1.0/24 via {EXTERNAL}")
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        udp(diverted.server, CLIENT, OWN_PORT, b"intruder")
        packet = _next(queue)
        assert (packet.hook, socket.inet_ntoa(packet.payload[16:20])) == (PREROUTING, CLIENT)


def test_a_packet_from_inside_for_the_external_address_is_not_taken_for_an_inbound_one(
    diverted: Path,
) -> None:
    with diverted.client.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, ICMP) as pinging:
        pinging.settimeout(5)
        pinging.sendto(icmp(ECHO_REQUEST), (EXTERNAL, 0))
        assert pinging.recv(100)[20] == 0


def test_a_packet_from_outside_for_somebody_else_is_not_ours(diverted: Path) -> None:
    diverted.router.ip("address add 198.51.100.1/32 dev lo")
    diverted.server.ip(f"route add 198.51.100.1 via {EXTERNAL}")
    local: socket.socket = diverted.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with local:
        local.bind(("198.51.100.1", POOL_PORT))
        local.settimeout(5)
        udp(diverted.server, "198.51.100.1", POOL_PORT, b"other")
        assert local.recv(100) == b"other"


def test_the_routers_own_icmp_error_is_queued_and_its_echo_reply_is_not(diverted: Path) -> None:
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        listening: socket.socket = diverted.server.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, ICMP)
        with listening:
            listening.settimeout(5)
            udp(diverted.server, EXTERNAL, OWN_PORT, b"to a closed port")
            error = _next(queue)
            assert (error.hook, error.payload[20]) == (POSTROUTING, UNREACHABLE)
            queue.decide(error, DROP)
            raw(diverted.server, ICMP, icmp(ECHO_REQUEST))
            request = _next(queue)
            assert (request.hook, request.payload[20]) == (PREROUTING, ECHO_REQUEST)
            queue.decide(request, ACCEPT)
            assert listening.recv(100)[20] == 0


def test_with_several_queues_every_one_of_them_gets_packets(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, replace(plan, queues=(QUEUE, 2)))
    path.server.ip(*(f"address add 203.0.113.{number}/24 dev s0" for number in range(100, 116)))
    with (
        KernelQueue(path.router, QUEUE).open() as first,
        KernelQueue(path.router, QUEUE + 1).open() as second,
    ):
        for number in range(100, 116):
            with path.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (f"203.0.113.{number}", PORT))
        assert _next(first)
        assert _next(second)


def _is_the_end(seen: Seen) -> bool:
    return seen.packet.endswith(b"end")
