"""The LAN's sentinel itself: it must see each kind of leak, and nothing besides."""

from collections.abc import Iterator

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from nfmasq.lab.clients import ping
from nfmasq.lab.lan_sentinel import LanSentinel
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, INTERNAL, ROUTER_INTERNAL, SERVER1, Topology
from nfmasq.lab.wire import Wire


@pytest.fixture(scope="module")
def open_net() -> Iterator[Topology]:
    with Topology(masquerade="kernel") as made:
        yield made


@pytest.fixture
def sentinel(open_net: Topology) -> Iterator[LanSentinel]:
    with LanSentinel(open_net.lan, "router", INTERNAL, ROUTER_INTERNAL) as made:
        yield made


def _sent_by_the_router(net: Topology, packet: Packet) -> None:
    with Wire(net.router, "lan0") as wire:
        wire.send(bytes(Ether(dst="ff:ff:ff:ff:ff:ff", type=0x0800) / packet))


def _to_client1(source: object = SERVER1, options: bytes = b"") -> Packet:
    return IP(src=str(source), dst=str(CLIENT1), options=options)


def _about(quoted: Packet, options: bytes = b"") -> Packet:
    return _to_client1(ROUTER_INTERNAL, options=options) / ICMP(type=3, code=4) / quoted


WIDE = b"\x01" * 8
"""IP options that say nothing."""
LEAKS = {
    "untranslated destination 203.0.113.2": IP(src=str(SERVER1), dst=str(EXTERNAL)) / UDP(),
    "untranslated destination 198.51.100.9": IP(src=str(SERVER1), dst="198.51.100.9", frag=100, proto=1),
    "internal source 192.168.1.20": _to_client1(CLIENT2) / TCP(),
    "a TCP RST": _to_client1() / TCP(flags="R"),
    "a TCP RST by the router": _to_client1(ROUTER_INTERNAL) / TCP(flags="R"),
    "a TCP RST behind options": _to_client1(EXTERNAL, options=WIDE) / TCP(flags="RA"),
    "an ICMP error that quotes the source 203.0.113.2": _about(IP(src=str(EXTERNAL), dst=str(SERVER1))),
    "an ICMP error that quotes the source 192.168.1.20": _about(IP(src=str(CLIENT2)), WIDE),
}
HARMLESS = {
    "an answer": _to_client1() / TCP(flags="A"),
    "the end of a connection": _to_client1() / TCP(flags="FA"),
    "a hairpinned segment": _to_client1(EXTERNAL) / TCP(flags="PA"),
    "an error about its own packet": _about(IP(src=str(CLIENT1), dst=str(SERVER1)) / UDP()),
    "the router's own": _to_client1(ROUTER_INTERNAL) / UDP(),
    "a later fragment": IP(src=str(SERVER1), dst=str(CLIENT1), frag=9, proto=6) / bytes([0, 80, *[255] * 40]),
    "a later fragment of the router's ICMP": IP(src=str(ROUTER_INTERNAL), dst=str(CLIENT1), frag=9, proto=1)
    / bytes([3, 4, *[7] * 40]),
    "a later fragment of the router's TCP": IP(src=str(ROUTER_INTERNAL), dst=str(CLIENT1), frag=9, proto=6)
    / bytes([255] * 40),
    "an error cut short": IP(src=str(ROUTER_INTERNAL), dst=str(CLIENT1), proto=1) / bytes([3, 4, *[0] * 25]),
    "an empty ICMP message": IP(src=str(ROUTER_INTERNAL), dst=str(CLIENT1), proto=1),
    "a segment cut short": IP(src=str(ROUTER_INTERNAL), dst=str(CLIENT1), proto=6) / bytes([255] * 13),
    "a report of a multicast group": IP(src=str(ROUTER_INTERNAL), dst="224.0.0.22", proto=2),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_each_kind_of_leak_is_seen(open_net: Topology, sentinel: LanSentinel, kind: str) -> None:
    _sent_by_the_router(open_net, LEAKS[kind])
    (leak,) = sentinel.leaks
    assert leak.startswith(kind.removesuffix(" by the router").removesuffix(" behind options"))


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_a_host_may_see_is_no_leak(open_net: Topology, sentinel: LanSentinel, kind: str) -> None:
    before = sentinel.frames
    _sent_by_the_router(open_net, HARMLESS[kind])
    assert (sentinel.leaks, sentinel.frames > before) == ([], True)


def test_translated_traffic_is_no_leak_and_is_counted(open_net: Topology, sentinel: LanSentinel) -> None:
    assert ping(open_net.client1, SERVER1, count=3).received == 3
    assert ping(open_net.client1, ROUTER_INTERNAL, count=1).received == 1
    assert (sentinel.leaks, sentinel.frames >= 4) == ([], True)


def test_what_a_host_sends_is_not_the_router_s_leak(open_net: Topology, sentinel: LanSentinel) -> None:
    with Wire(open_net.client2, "eth0") as wire:
        wire.send(bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / _to_client1(CLIENT2) / TCP(flags="R")))
    assert sentinel.leaks == []
