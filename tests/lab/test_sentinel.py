"""The sentinel itself, on a router that lets everything out as it is: it must see each kind of leak."""

from collections.abc import Iterator

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption_RR
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from nfmasq.lab.clients import ping
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.topology import CLIENT1, EXTERNAL, INTERNAL, ISP, SERVER1, Topology
from nfmasq.lab.wire import Wire

STRANGER = "192.0.2.9"


@pytest.fixture(scope="module")
def open_net() -> Iterator[Topology]:
    with Topology() as made:
        yield made


@pytest.fixture
def sentinel(open_net: Topology) -> Iterator[Sentinel]:
    with Sentinel(open_net.wan, "router", INTERNAL) as made:
        yield made


def _sent_by_the_router(net: Topology, frame: Packet) -> None:
    with Wire(net.router, "wan0") as wire:
        wire.send(bytes(frame))


def _about(quoted: Packet) -> Packet:
    return IP(src=str(EXTERNAL), dst=str(SERVER1)) / ICMP(type=3, code=4) / quoted


ETHERNET = Ether(dst="ff:ff:ff:ff:ff:ff", type=0x0800)
LEAKS = {
    "source": ETHERNET / IP(src=str(CLIENT1), dst=str(SERVER1)) / UDP(),
    "destination": ETHERNET / IP(src=str(EXTERNAL), dst=str(CLIENT1)) / UDP(),
    "source of a later fragment": ETHERNET / IP(src=str(CLIENT1), dst=str(SERVER1), frag=100, proto=1),
    "option": ETHERNET / IP(src=str(EXTERNAL), dst=str(SERVER1), options=IPOption_RR(routers=[str(CLIENT1)])),
    "quoted source": ETHERNET / _about(IP(src=str(CLIENT1), dst=str(SERVER1)) / UDP()),
    "quoted destination": ETHERNET / _about(IP(src=str(SERVER1), dst=str(CLIENT1)) / UDP()),
    "ARP sender": ETHERNET.__class__(dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=str(CLIENT1), pdst=str(ISP)),
    "ARP target": ETHERNET.__class__(dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=str(EXTERNAL), pdst=str(CLIENT1)),
}


def test_a_cable_that_was_pulled_and_plugged_in_is_listened_to_again(
    open_net: Topology, sentinel: Sentinel
) -> None:
    open_net.wan.ip("link set router down", "link set router up")
    _sent_by_the_router(open_net, LEAKS["source"])
    (leak,) = sentinel.take()
    assert str(CLIENT1) in leak


@pytest.mark.parametrize("kind", LEAKS)
def test_an_internal_address_is_seen_wherever_it_stands(
    open_net: Topology, sentinel: Sentinel, kind: str
) -> None:
    _sent_by_the_router(open_net, LEAKS[kind])
    (leak,) = sentinel.leaks
    assert str(CLIENT1) in leak
    assert kind.removesuffix(" of a later fragment") in leak


def test_untranslated_traffic_is_seen(open_net: Topology, sentinel: Sentinel) -> None:
    assert ping(open_net.client1, SERVER1, count=1).received == 0
    assert sentinel.leaks


def test_harmless_frames_are_no_leaks_and_are_counted(open_net: Topology, sentinel: Sentinel) -> None:
    assert ping(open_net.router, SERVER1, count=3).received == 3
    _sent_by_the_router(open_net, ETHERNET / _about(IP(src=str(SERVER1), dst=str(EXTERNAL)) / UDP()))
    assert sentinel.leaks == []
    assert sentinel.frames >= 4


def test_what_an_outsider_sends_is_not_the_router_s_leak(open_net: Topology, sentinel: Sentinel) -> None:
    with Wire(open_net.server1, "eth0") as wire:
        wire.send(bytes(ETHERNET / IP(src=str(SERVER1), dst=str(CLIENT1)) / UDP()))
    assert sentinel.leaks == []


def test_with_allowed_sources_any_other_is_a_leak(open_net: Topology) -> None:
    with Sentinel(open_net.wan, "router", INTERNAL, [EXTERNAL]) as strict:
        _sent_by_the_router(open_net, ETHERNET / IP(src=STRANGER, dst=str(SERVER1)) / UDP())
        _sent_by_the_router(open_net, ETHERNET / IP(src=str(EXTERNAL), dst=str(SERVER1)) / UDP())
        (leak,) = strict.leaks
    assert STRANGER in leak
