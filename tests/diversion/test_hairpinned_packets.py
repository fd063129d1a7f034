"""The two passes of a packet from one internal host to another by an external address."""

import socket
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.nfqueue import ACCEPT, POSTROUTING, PREROUTING, KernelQueue, Packet
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, Path
from support.paths import outside
from support.wire import Wire, with_destination, with_source

from diversion.traffic import ECHO_REQUEST, ICMP, OWN_PORT, POOL_PORT, exchange_over_tcp, icmp, raw, udp
from nfmasq.diversion import Diversion, DiversionPlan, guard
from nfmasq.diversion.backend import DEFAULT_MARK
from nfmasq.lab.waiting import wait_until

pytestmark = pytest.mark.root

REDIRECT = 5
OTHER_BITS = 77
NEIGHBOUR = "192.168.1.3"


@pytest.fixture
def hairpinning(path: Path, diversion: Diversion, plan: DiversionPlan) -> Path:
    """The router with rules and guard, ready to tell internal hosts of shorter ways."""
    whole = replace(plan, hairpinning=True, internal=("lan0", "lan1"))
    for interface in ("all", "lan0"):
        path.router.sysctl(f"ipv4/conf/{interface}/send_redirects", 1)
    path.router.call(guard.install, whole)
    path.router.call(diversion.install, whole)
    assert path.router.call(diversion.present)
    return path


def _datagram_socket(path: Path, port: int) -> socket.socket:
    opened: socket.socket = path.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((CLIENT, port))
    opened.settimeout(5)
    return opened


def _next(queue: KernelQueue) -> Packet:
    packet = queue.receive()
    assert packet is not None
    return packet


def _there_and_back(path: Path) -> list[bytes]:
    """Carry a datagram through both passes, as the core does; the ICMP messages the client saw meanwhile."""
    with (
        Wire(path.client, "c0") as wire,
        _datagram_socket(path, PORT) as listener,
        _datagram_socket(path, PORT + 1) as caller,
        KernelQueue(path.router, QUEUE).open() as queue,
    ):
        caller.sendto(b"hairpin", (EXTERNAL, POOL_PORT))
        first = _next(queue)
        assert (first.hook, first.mark) == (PREROUTING, 0)
        queue.decide(
            first, ACCEPT, with_destination(first.payload, CLIENT, PORT), mark=DEFAULT_MARK | OTHER_BITS
        )
        second = _next(queue)
        assert (second.hook, second.mark) == (POSTROUTING, DEFAULT_MARK | OTHER_BITS)
        assert socket.inet_ntoa(second.payload[12:16]) == CLIENT
        queue.decide(second, ACCEPT, with_source(second.payload, EXTERNAL), mark=0)
        assert listener.recvfrom(100) == (b"hairpin", (EXTERNAL, PORT + 1))
        udp(path.router, CLIENT, PORT, b"end")
        seen = wire.until(lambda packet: packet.packet.endswith(b"end"))
        return [packet.packet[20:] for packet in seen if packet.protocol == ICMP]


def test_a_packet_is_queued_on_its_way_in_and_by_its_mark_on_its_way_back(hairpinning: Path) -> None:
    _there_and_back(hairpinning)


def test_the_router_tells_of_no_shorter_way(hairpinning: Path) -> None:
    assert _there_and_back(hairpinning) == []
    for stop in (
        "nft flush chain ip nfmasq silent",
        "iptables -t raw -F OUTPUT",
        "iptables-legacy -t raw -F OUTPUT",
    ):
        hairpinning.router.run(*stop.split(), check=False)  # two of them find no such rule
    # The kernel spaces its redirects, those that were stopped included: the next packet may bring none.
    told: list[bytes] = []

    def is_told() -> bool:
        told.extend(_there_and_back(hairpinning))
        return bool(told)

    wait_until(is_told, "a redirect to stop")
    assert {message[0] for message in told} == {REDIRECT}


def test_what_the_core_did_not_mark_is_not_queued_on_its_way_between_internal_hosts(
    hairpinning: Path,
) -> None:
    with (
        _datagram_socket(hairpinning, PORT) as listener,
        _datagram_socket(hairpinning, PORT + 1) as caller,
        KernelQueue(hairpinning.router, QUEUE).open() as queue,
    ):
        caller.sendto(b"marked by somebody else", (EXTERNAL, POOL_PORT))
        first = _next(queue)
        changed = with_source(with_destination(first.payload, CLIENT, PORT), NEIGHBOUR)
        queue.decide(first, ACCEPT, changed, mark=DEFAULT_MARK - 1)
        assert listener.recv(100) == b"marked by somebody else"
        assert queue.receive(0.1) is None


def test_pings_and_portless_protocols_from_inside_are_queued(hairpinning: Path) -> None:
    with KernelQueue(hairpinning.router, QUEUE).open() as queue:
        for protocol, data in ((ICMP, icmp(ECHO_REQUEST)), (47, b"\0" * 8)):
            raw(hairpinning.client, protocol, data)
            packet = _next(queue)
            assert (packet.hook, packet.payload[9]) == (PREROUTING, protocol)


def test_of_a_pool_in_many_pieces_each_address_is_queued_and_no_other(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    pool = [IPv4Address("198.51.100.1") + 2 * number for number in range(8)]
    path.router.call(diversion.install, replace(plan, externals=outside(*map(str, pool)), hairpinning=True))
    path.router.ip("route add default via 203.0.113.9")
    with KernelQueue(path.router, QUEUE).open() as queue:
        for address in pool:
            udp(path.client, str(address), POOL_PORT)
            assert _next(queue).hook == PREROUTING
        for address in (pool[0] + 1, pool[-1] + 1, pool[0] - 1):
            udp(path.client, str(address), POOL_PORT)
            assert _next(queue).hook == POSTROUTING, "taken for one of the pool"


def test_what_inside_sends_to_others_passes_unqueued(hairpinning: Path) -> None:
    with KernelQueue(hairpinning.router, QUEUE).open() as queue:
        udp(hairpinning.client, "192.168.1.1", POOL_PORT)
        assert queue.receive(0.2) is None


def test_a_socket_of_the_router_is_reached_from_inside_by_the_external_address(hairpinning: Path) -> None:
    with hairpinning.router.call(socket.create_server, ("", POOL_PORT)) as listener:
        caller: socket.socket = hairpinning.client.call(socket.create_connection, (EXTERNAL, POOL_PORT), 5)
        accepted, _ = listener.accept()
        with caller, accepted:
            accepted.sendall(b"own")
            assert caller.recv(100) == b"own"
    exchange_over_tcp(hairpinning, "0.0.0.0")


def test_without_hairpinning_the_router_answers_for_its_address_itself(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, replace(plan, hairpinning=True))
    path.router.call(diversion.install, plan)
    with _datagram_socket(path, PORT) as caller:
        caller.connect((EXTERNAL, OWN_PORT))
        caller.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            caller.recv(100)
