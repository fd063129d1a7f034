"""Destinations without translation (RFC 6888 REQ-6): what rules and guard let be, and nothing else."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.nfqueue import POSTROUTING, PREROUTING, KernelQueue, Packet
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, SERVER, Path
from support.paths import outside
from support.wire import UDP, Seen, Wire

from diversion.test_guard import guarding
from diversion.test_nftables import ASSIGNED, DIVERT, INTRUDER, OUTBOUND, RULES, _counted, _counters, _met
from diversion.traffic import ICMP, OWN_PORT, POOL_PORT, TIME_EXCEEDED, udp
from nfmasq.diversion import Diversion, DiversionPlan, guard
from nfmasq.diversion.nftables_rules import rules_table

__all__ = ["guarding"]

pytestmark = pytest.mark.root

OTHER_SERVER, SPOOFED = "203.0.113.10", "192.0.2.77"
EXEMPT = (IPv4Network("203.0.113.9/32"), IPv4Network("10.8.0.0/16"))


@pytest.fixture
def exempting(path: Path, plan: DiversionPlan) -> DiversionPlan:
    """A plan with the server exempt, which knows a way back, and has a neighbour who is not."""
    path.server.ip(f"address add {OTHER_SERVER}/24 dev s0", f"route add 192.168.1.0/24 via {EXTERNAL}")
    return replace(plan, exempt=EXEMPT)


@pytest.fixture
def queue(path: Path, diversion: Diversion, exempting: DiversionPlan) -> Iterator[KernelQueue]:
    """The queue of a router with rules and guard in force."""
    path.router.call(guard.install, exempting)
    path.router.call(diversion.install, exempting)
    assert path.router.call(diversion.present)
    assert path.router.call(guard.present)
    with KernelQueue(path.router, QUEUE).open() as opened:
        yield opened


def _next(queue: KernelQueue) -> Packet:
    packet = queue.receive()
    assert packet is not None
    return packet


def _spoof(path: Path, destination: str, source: str = SPOOFED) -> None:
    """The client sends a datagram from an address that is not its own."""
    with path.client.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as opened:
        datagram = struct.pack("!HHHH", PORT, PORT, 9, 0) + b"s"
        addresses = socket.inet_aton(source) + socket.inet_aton(destination)
        opened.sendto(struct.pack("!BBHHHBBH", 0x45, 0, 29, 1, 0, 64, UDP, 0) + addresses + datagram,
                      (destination, 0))  # fmt: skip


def _talk(path: Path) -> None:
    """The server calls the client, the client the server; each sees the other's own address."""
    for caller, called, source, destination in (
        (path.server, path.client, SERVER, CLIENT),
        (path.client, path.server, CLIENT, SERVER),
    ):
        with called.call(socket.create_server, (destination, PORT)) as listener:
            listener.settimeout(5)
            calling = caller.call(socket.create_connection, (destination, PORT), 5, (source, 0))
            accepted, address = listener.accept()
            with calling, accepted:
                assert address[0] == source
                accepted.sendall(b"answer")
                assert calling.recv(100) == b"answer"


def test_an_exempt_destination_and_internal_hosts_call_each_other_by_their_own_addresses(
    path: Path, queue: KernelQueue
) -> None:
    _talk(path)
    assert queue.receive(0.1) is None


def test_what_goes_elsewhere_or_comes_from_elsewhere_is_queued(path: Path, queue: KernelQueue) -> None:
    udp(path.client, OTHER_SERVER, PORT)
    assert _next(queue).hook == POSTROUTING
    with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((OTHER_SERVER, PORT))
        other.sendto(b"intruder", (CLIENT, PORT))
    assert _next(queue).hook == PREROUTING


def test_a_spoofed_source_is_queued_on_its_way_to_an_exempt_destination(
    path: Path, queue: KernelQueue
) -> None:
    _spoof(path, SERVER)
    assert _next(queue).payload[12:16] == socket.inet_aton(SPOOFED)


def test_what_an_exempt_destination_sends_to_an_external_address_is_queued(
    path: Path, queue: KernelQueue
) -> None:
    udp(path.server, EXTERNAL, POOL_PORT)
    assert _next(queue).hook == PREROUTING


def test_an_internal_source_from_outside_is_queued_though_the_exempt_network_holds_it(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.server.ip(
        "address add 192.168.1.77/32 dev s0", f"route add {CLIENT} via {EXTERNAL} src 192.168.1.77"
    )
    path.router.call(diversion.install, replace(plan, exempt=(IPv4Network("192.168.0.0/16"),)))
    with KernelQueue(path.router, QUEUE).open() as queue:
        udp(path.server, CLIENT, PORT)
        assert _next(queue).payload[12:16] == socket.inet_aton("192.168.1.77")


def test_the_guard_lets_an_internal_source_out_to_exempt_destinations_only(
    path: Path, guarding: str, exempting: DiversionPlan
) -> None:
    path.router.call(guard.install, exempting)
    with Wire(path.server, "s0") as wire:
        udp(path.client, OTHER_SERVER, PORT, b"internal, elsewhere")
        _spoof(path, SERVER)
        udp(path.client, SERVER, PORT, b"internal, exempt")
        udp(path.router, SERVER, PORT, b"end")
        passed = [seen.packet[28:] for seen in wire.until(_is_the_end) if seen.protocol == UDP]
    assert passed == [b"internal, exempt", b"end"]


def test_the_guard_lets_the_router_quote_an_internal_address_to_exempt_destinations_only(
    path: Path, exempting: DiversionPlan
) -> None:
    path.router.call(guard.install, exempting)
    with Wire(path.server, "s0") as wire:
        for source in (OTHER_SERVER, SERVER):
            with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as dying:
                dying.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
                dying.bind((source, 0))
                dying.sendto(b"dies", (CLIENT, PORT))
        udp(path.router, SERVER, PORT, b"end")
        errors = [seen.packet for seen in wire.until(_is_the_end) if seen.protocol == ICMP]
    assert [(packet[20], packet[16:20]) for packet in errors] == [(TIME_EXCEEDED, socket.inet_aton(SERVER))]


def _is_the_end(seen: Seen) -> bool:
    return seen.packet.endswith(b"end")


def test_nothing_is_exempt_while_there_is_no_external_address(plan: DiversionPlan) -> None:
    """The router would ask for its neighbour (ARP) by an internal address."""
    assert replace(plan, externals=outside(), exempt=EXEMPT).merged_exempt == ()


def test_our_own_addresses_and_networks_are_never_exempt(plan: DiversionPlan) -> None:
    ours = replace(plan, exempt=(IPv4Network("203.0.113.0/29"), IPv4Network("192.168.0.0/16")))
    exempt = ours.merged_exempt
    assert sum(network.num_addresses for network in exempt) == 8 - 1 + 65536 - 256
    for address in (EXTERNAL, CLIENT, "192.168.1.255"):
        assert not any(IPv4Address(address) in network for network in exempt)
    inside = replace(plan, exempt=(IPv4Network("192.168.1.128/25"), IPv4Network(EXTERNAL)))
    assert inside.merged_exempt == ()


def test_nft_lets_be_the_same(path: Path, exempting: DiversionPlan) -> None:
    text = rules_table(exempting).anew()
    path.router.run("nft", "-f", "-", input=text.replace(DIVERT, "counter drop"))
    _talk(path)
    assert _counters(path) == [0] * RULES
    with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((OTHER_SERVER, PORT))
        other.sendto(b"intruder", (CLIENT, OWN_PORT))
    assert _counted(path, _met({INTRUDER: 1}))
    udp(path.server, EXTERNAL, POOL_PORT)
    assert _counted(path, _met({INTRUDER: 1, ASSIGNED: 1}))
    _spoof(path, SERVER)
    udp(path.client, OTHER_SERVER, PORT)
    assert _counted(path, _met({INTRUDER: 1, ASSIGNED: 1, OUTBOUND: 2}))
