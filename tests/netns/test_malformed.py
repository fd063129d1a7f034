"""Bad packets from both sides: a counted reason or a translation; no leak, no crash, no slot left waiting.

What must hold after every test of this directory (no leak, the daemon alive, the queues empty) does the rest.
The sentinel lets the router send from its external address alone: a spoofed source that leaves is a leak.
"""

import random
from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from netns.malformed import EITHER, FROM_THE_LAN, FROM_THE_WAN, KERNEL, ROUTER, TRANSLATED, Case
from nfmasq.lab.clients import ask, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

MARK = b"what was sent before this has passed"


@pytest.fixture(scope="module")
def lan(lab: Lab) -> Iterator[Wire]:
    """The first client's cable, to send on."""
    with Wire(lab.topology.client1, "eth0", (lab.topology.router, "lan0")) as wire:
        yield wire


@pytest.fixture(scope="module")
def sender(lab: Lab) -> Iterator[Wire]:
    """The first server's cable, to send on."""
    with Wire(lab.topology.server1, "eth0", (lab.topology.router, "wan0")) as wire:
        yield wire


@pytest.fixture(scope="module")
def outside(lab: Lab) -> Iterator[Wire]:
    """The router's cable on the WAN, to see what leaves."""
    with Wire(lab.topology.wan, "router") as wire:
        yield wire


@pytest.fixture(scope="module")
def inside(lab: Lab) -> Iterator[Wire]:
    """The router's cable in the LAN, to see what comes in."""
    with Wire(lab.topology.lan, "router") as wire:
        yield wire


def _left_the_router(lan: Wire, outside: Wire, daemon: DaemonUnderLab) -> list[bytes]:
    """What left since the last time, once all that was sent before has been dealt with."""
    lan.send_ip(bytes(IP(src=str(CLIENT1), dst=str(SERVER1)) / UDP(sport=2999, dport=9) / Raw(MARK)))
    passed: list[bytes] = []

    def marked() -> bool:
        passed.extend(outside.seen())
        return any(packet.endswith(MARK) for packet in passed)

    wait_until(marked, "the marked packet to leave")
    wait_until(lambda: daemon.waiting() == 0, "the queues to be empty")
    passed.extend(outside.seen())
    return [packet for packet in passed if MARK not in packet and packet[12:16] == EXTERNAL.packed]


def _total(drops: dict[str, int]) -> int:
    return sum(drops.values())


def _requests(packets: list[bytes], sent: bytes) -> list[bytes]:
    """Those of the packets that are of the protocol sent, and not answers of the client's own stack."""
    return [packet for packet in packets if packet[9] == sent[9]]


@pytest.mark.parametrize("name", FROM_THE_LAN)
def test_from_the_lan(name: str, lan: Wire, outside: Wire, daemon: DaemonUnderLab) -> None:
    case: Case = FROM_THE_LAN[name]
    list(outside.seen())
    before = daemon.drops()
    for packet in case.packets:
        lan.send_ip(packet)
    left = _requests(_left_the_router(lan, outside, daemon), case.packets[-1])
    after = daemon.drops()
    counted = _total(after) - _total(before)
    if case.fate == TRANSLATED:
        assert left
        assert counted == 0, after
    elif case.fate == KERNEL:
        assert not left
        assert counted == 0, after
    elif case.fate == EITHER:
        assert bool(left) != bool(counted)
    else:
        assert not left
        assert after.get(case.fate, 0) == before.get(case.fate, 0) + 1, after
        assert counted == 1, after


@pytest.mark.parametrize("name", FROM_THE_WAN)
def test_from_the_wan(name: str, sender: Wire, inside: Wire, daemon: DaemonUnderLab, net: Topology) -> None:
    case: Case = FROM_THE_WAN[name]
    list(inside.seen())
    before = daemon.drops()
    for packet in case.packets:
        sender.send_ip(packet)
    _answered(net, daemon)
    after = daemon.drops()
    counted = 0 if case.fate in {KERNEL, ROUTER} else 1
    assert after.get(case.fate, 0) == before.get(case.fate, 0) + counted, after
    assert _total(after) == _total(before) + counted, after
    assert not [packet for packet in inside.seen() if packet[12:16] == SERVER1.packed and MARK not in packet]


def _answered(net: Topology, daemon: DaemonUnderLab) -> None:
    """What server1 sent before has been dealt with: its answer to a later question has come in."""
    assert MARK in ask(net.client1, (SERVER1, 7), MARK, source_port=2998)
    wait_until(lambda: daemon.waiting() == 0, "the queues to be empty")


@pytest.mark.parametrize(
    ("protocol", "checksum_at"), [("TCP", 36), ("UDP", 26), ("ICMP query", 22)], ids=["tcp", "udp", "icmp"]
)
def test_a_wrong_checksum_is_translated_and_stays_wrong(
    protocol: str, checksum_at: int, lan: Wire, outside: Wire, daemon: DaemonUnderLab
) -> None:
    """Never repaired: the receiver must still be able to tell."""
    (sent,) = FROM_THE_LAN[f"checksum: {protocol}"].packets
    list(outside.seen())
    lan.send_ip(sent)
    (packet,) = _requests(_left_the_router(lan, outside, daemon), sent)
    right = IP(packet).copy()
    del right.payload.chksum
    assert packet[checksum_at : checksum_at + 2] != bytes(right)[checksum_at : checksum_at + 2]


def test_a_udp_packet_without_a_checksum_stays_without(
    lan: Wire, outside: Wire, daemon: DaemonUnderLab
) -> None:
    list(outside.seen())
    sent = bytes(IP(src=str(CLIENT1), dst=str(SERVER1)) / UDP(sport=3000, dport=7, chksum=0) / b"abc")
    lan.send_ip(sent)
    (packet,) = _requests(_left_the_router(lan, outside, daemon), sent)
    assert IP(packet)[UDP].chksum == 0


def test_a_stranger_at_a_mapped_port_is_filtered(net: Topology, daemon: DaemonUnderLab, inside: Wire) -> None:
    _, port, _ = ask(net.client1, (SERVER1, 53), b"who", source_port=3100).split()
    before = daemon.drops().get("filtered", 0)
    list(inside.seen())
    with Wire(net.isp, "near", (net.router, "wan0")) as wire:
        wire.send_ip(bytes(IP(src=str(net.isp_address), dst=str(EXTERNAL)) / UDP(sport=53, dport=int(port))))
        wait_until(lambda: daemon.drops().get("filtered", 0) == before + 1, "the stranger to be counted")
    assert not [packet for packet in inside.seen() if packet[12:16] == net.isp_address.packed]


@pytest.mark.parametrize("seed", [1, 2])
def test_thousands_of_damaged_packets_do_no_harm(
    seed: int, net: Topology, lan: Wire, sender: Wire, daemon: DaemonUnderLab
) -> None:
    """Every case above, a few bytes of each changed at random and its length perhaps, from both sides."""
    chance = random.Random(seed)
    for cases, wire in ((FROM_THE_LAN, lan), (FROM_THE_WAN, sender)):
        sound = [packet for case in cases.values() for packet in case.packets]
        for _ in range(1500):
            damaged = bytearray(chance.choice(sound))
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            wire.send_ip(
                bytes(damaged[: chance.randint(14, len(damaged))] if chance.random() < 0.3 else damaged)
            )
    assert ping(net.client1, SERVER1, count=2).received == 2
    assert daemon.running
