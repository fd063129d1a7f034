"""Datagrams larger than any cable: the kernel puts them together before nfmasq and cuts them up after it."""

import random
from collections.abc import Callable

import pytest
from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.packet import Packet, Raw

from nfmasq.lab.clients import ask, ping
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.wire import Wire

_cut: Callable[[Packet, int], list[Packet]] = fragment
LARGE = random.Random(791).randbytes(9000)


@pytest.mark.parametrize("size", [1473, 4000, 20000, 60000])
def test_large_pings_come_back(net: Topology, size: int) -> None:
    assert ping(net.client1, SERVER2, "-s", str(size), count=2).received == 2


@pytest.mark.parametrize("size", [1473, 9000, 65503])
def test_large_datagrams_pass_both_ways(net: Topology, size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert ask(net.client1, (SERVER1, 7), data) == data
    assert ask(net.client2, (SERVER2, 7), data) == data


def test_a_datagram_longer_than_a_queue_can_hand_back_is_dropped_and_counted(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    before = daemon.drops().get("oversized", 0)
    with pytest.raises(ProgramError):
        ask(net.client1, (SERVER1, 7), bytes(65507), tries=1)
    assert daemon.drops()["oversized"] == before + 1


def _answer_to(net: Topology, packets: list[Packet]) -> bytes:
    """Send these from client1 as they are and collect what server1's echo (UDP 7) answers, put together."""
    with Wire(net.client1, "eth0", (net.router, "lan0")) as wire:
        for packet in packets:
            wire.send_ip(bytes(packet))
        parts: dict[int, bytes] = {}
        end = None
        while end is None or sum(map(len, parts.values())) < end:
            part = wire.expect(lambda packet: IP(packet).src == str(SERVER1) and IP(packet).proto == 17)
            header = IP(part)
            parts[header.frag * 8] = bytes(header.payload)
            if not header.flags.MF:
                end = header.frag * 8 + len(bytes(header.payload))
        whole = b"".join(parts[offset] for offset in sorted(parts))
        return whole[8:]


def _question(number: int) -> list[Packet]:
    whole = IP(src=str(CLIENT1), dst=str(SERVER1), id=number) / UDP(sport=7000 + number, dport=7) / Raw(LARGE)
    return _cut(whole, 1400)


@pytest.mark.parametrize("order", ["in order", "last first", "shuffled", "one twice"])
def test_fragments_in_any_order_are_one_datagram(net: Topology, order: str) -> None:
    parts = _question(["in order", "last first", "shuffled", "one twice"].index(order) + 1)
    if order == "last first":
        parts.reverse()
    elif order == "shuffled":
        random.Random(2).shuffle(parts)
    elif order == "one twice":
        parts.insert(1, parts[0])
    assert _answer_to(net, parts) == LARGE


def test_no_part_of_an_unfinished_datagram_leaves(net: Topology) -> None:
    with Wire(net.wan, "router") as wan, Wire(net.client1, "eth0", (net.router, "lan0")) as wire:
        for part in _question(9)[:-1]:
            wire.send_ip(bytes(part))
        assert ping(net.client1, SERVER1, count=1).received == 1
        assert not [packet for packet in wan.seen() if packet[9] == 17]


def test_an_error_about_a_fragmented_datagram_finds_its_sender(net: Topology) -> None:
    """A datagram of three fragments to a closed port: the server's refusal quotes its first fragment."""
    whole = IP(src=str(CLIENT1), dst=str(SERVER1), id=77) / UDP(sport=7100, dport=9) / Raw(LARGE[:4000])
    with Wire(net.client1, "eth0", (net.router, "lan0")) as wire:
        for part in _cut(whole, 1400):
            wire.send_ip(bytes(part))
        error = IP(wire.expect(lambda packet: packet[9] == 1 and ICMP in IP(packet)))
    assert (error[ICMP].type, error[ICMP].code) == (3, 3)
    assert error[ICMP].payload.src == str(CLIENT1)
    assert error[ICMP].payload.payload.sport == 7100
    assert error.src != str(EXTERNAL)
