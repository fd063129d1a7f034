"""Addresses that cannot be, and packets that cannot be translated, through the real path: none gets across.

After each test the sentinel looks for internal addresses on the WAN.
"""

from ipaddress import IPv4Address

import pytest
from support.packets import (
    ACK,
    AH,
    EXCEEDED,
    FIN,
    PSH,
    REDIRECT,
    RST,
    SYN,
    URG,
    error,
    ip,
    portless,
    put,
    query,
    read,
    udp,
    word,
)

from hardening.ends import CLIENT, OTHER_CLIENT, SERVER, Ends
from hardening.segments import segment
from nfmasq.lab.clients import ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import (
    EXTERNAL,
    INTERNAL,
    ISP,
    ROUTER_INTERNAL,
    SERVER1,
    SERVER2,
    Topology,
)
from nfmasq.lab.waiting import wait_until

PRIVATE = IPv4Address("10.9.1.50")
FROM_NOWHERE = [
    IPv4Address(address)
    for address in (
        "127.0.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.5", "239.255.255.250", "240.0.0.1", "255.255.255.255"
    )
]  # fmt: skip


def _dropped(daemon: DaemonUnderLab) -> int:
    return sum(daemon.drops().values())


UNTRANSLATABLE = {
    "TCP without flags": segment(CLIENT, 1000, SERVER, 80, 0),
    "TCP with all flags": segment(CLIENT, 1000, SERVER, 80, FIN | SYN | RST | PSH | ACK | URG),
    "TCP of no session": segment(CLIENT, 1000, SERVER, 80, ACK, sequence=5, acknowledged=6),
    "reset of no session": segment(CLIENT, 1000, SERVER, 80, RST),
    "half a TCP header": ip(CLIENT, SERVER, 6, segment(CLIENT, 1000, SERVER, 80)[20:30]),
    "AH": portless(CLIENT, SERVER, AH, bytes(24)),
    "ICMP of an unknown type": query(CLIENT, SERVER, 7, kind=200),
    "ICMP reply nobody asked for": query(CLIENT, SERVER, 7, kind=0),
    "redirect": error(CLIENT, SERVER, udp(SERVER, 9, CLIENT, 1000), REDIRECT, 1),
    "error about no session": error(CLIENT, SERVER, udp(SERVER, 9, CLIENT, 999), EXCEEDED),
    "half a UDP header": ip(CLIENT, SERVER, 17, bytes(4)),
    "UDP longer than its packet": put(udp(CLIENT, 1000, SERVER, 53), 24, word(999)),
    "UDP from port 0": udp(CLIENT, 0, SERVER, 53),
}


@pytest.mark.parametrize("kind", UNTRANSLATABLE)
def test_what_cannot_be_translated_stays_and_is_counted(
    kind: str, ends: Ends, daemon: DaemonUnderLab
) -> None:
    """Private address leak by untranslatable packets.

    The kernel's own MASQUERADE lets some of these out as they are.
    """
    before = _dropped(daemon)
    assert not ends.out([UNTRANSLATABLE[kind]])
    assert _dropped(daemon) == before + 1


def test_arp_on_the_wan_names_no_internal_address(net: Topology, ends: Ends, lab: Lab) -> None:
    """Private address leak by untranslatable packets.

    ARP is no packet of ours; the kernel asks for its neighbours with the external address alone.
    """
    net.router.ip("neighbour flush dev wan0")
    assert ping(net.client1, SERVER1, count=1).received == 1
    assert ping(net.client2, SERVER2, count=1).received == 1
    net.router.ip("neighbour flush dev wan0")
    assert ping(net.router, ISP, "-I", str(ROUTER_INTERNAL), count=1).received == 0
    assert not lab.sentinel.leaks
    ends.meet()


SPOOFED_INSIDE = {
    "LAND": SERVER,
    "the router's external address": EXTERNAL,
    "the router's internal address": ROUTER_INTERNAL,
    "another private network's": PRIVATE,
    "another host's outside": SERVER2,
} | {str(address): address for address in FROM_NOWHERE}


@pytest.mark.parametrize("kind", SPOOFED_INSIDE)
def test_a_source_that_cannot_be_inside_does_not_leave(kind: str, ends: Ends) -> None:
    """LAND, martian and spoofed addresses.

    For TCP, UDP, ICMP and a protocol without ports.
    """
    source = SPOOFED_INSIDE[kind]
    sent = [
        segment(source, 80, SERVER, 80),
        udp(source, 53, SERVER, 53),
        query(source, SERVER, 9),
        portless(source, SERVER),
    ]
    left = [packet for packet in ends.out(sent) if packet[12:16] != EXTERNAL.packed]
    assert not left
    assert not [packet for packet in ends.out(sent) if read(packet).destination_port in {80, 53}]


@pytest.mark.parametrize("destination", FROM_NOWHERE, ids=str)
def test_a_destination_that_is_no_host_is_not_sent_out(destination: IPv4Address, ends: Ends) -> None:
    """LAND, martian and spoofed addresses.

    Limited broadcasts and multicasts are not forwarded, nor is anything to networks that are none.
    """
    sent = [segment(CLIENT, 1001, destination, 80), udp(CLIENT, 1001, destination, 53)]
    ends.out(sent)
    assert not [packet for packet in ends.left() if packet[16:20] == destination.packed]


SPOOFED_OUTSIDE = {
    "an internal host": OTHER_CLIENT,
    "the host it is for": CLIENT,
    "the router's internal address": ROUTER_INTERNAL,
    "the external address (LAND)": EXTERNAL,
    "a private network": PRIVATE,
} | {str(address): address for address in FROM_NOWHERE}


@pytest.mark.parametrize("kind", SPOOFED_OUTSIDE)
def test_a_source_that_cannot_be_outside_does_not_come_in(kind: str, ends: Ends) -> None:
    """LAND, martian and spoofed addresses.

    To external endpoints that are in use, and straight to the host behind them.
    """
    source = SPOOFED_OUTSIDE[kind]
    opened = ends.out(
        [udp(CLIENT, 1002, SERVER, 53), segment(CLIENT, 1002, SERVER, 80), query(CLIENT, SERVER, 2)]
    )
    datagram, connection, asked = (read(packet).source_port for packet in opened)
    sent = [
        udp(source, 53, EXTERNAL, datagram),
        segment(source, 80, EXTERNAL, connection, SYN | ACK, acknowledged=1),
        query(source, EXTERNAL, asked, kind=0),
        udp(source, 53, CLIENT, 1002),
        segment(source, 80, CLIENT, 1002, SYN | ACK, acknowledged=1),
        query(source, CLIENT, 2, kind=0),
    ]
    if source in FROM_NOWHERE:  # errors about a session are believed of all others (RFC 4787 REQ-12a)
        sent.append(error(source, EXTERNAL, opened[0]))
    assert not ends.into(sent)


def _is_kept_out(ends: Ends, destination: IPv4Address) -> bool:
    """Does nothing pass to it? What waits in a queue while the rules change may be lost, markers too."""
    try:
        return not ends.into([udp(SERVER, 53, destination, 1002)], destination)
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    "destination", [CLIENT, OTHER_CLIENT, ROUTER_INTERNAL, INTERNAL.broadcast_address, PRIVATE], ids=str
)
def test_nothing_from_outside_is_for_an_internal_address(
    destination: IPv4Address, ends: Ends, net: Topology
) -> None:
    """LAND, martian and spoofed addresses.

    The kernel alone would forward it to the LAN, or answer itself.
    """
    if destination == PRIVATE:
        net.router.ip(f"route replace {PRIVATE}/32 dev lan0")
        ends.meet(PRIVATE)
        wait_until(lambda: _is_kept_out(ends, destination), "the rules to follow", patience=15)
    sent = [
        udp(SERVER, 53, destination, 1002),
        segment(SERVER, 80, destination, 1002, SYN),
        segment(SERVER, 80, destination, 1002, ACK, sequence=1, acknowledged=1),
        query(SERVER, destination, 3),
        portless(SERVER, destination),
    ]
    assert not ends.into(sent, destination)
    assert not [packet for packet in ends.out([]) if packet[12:16] == destination.packed]
