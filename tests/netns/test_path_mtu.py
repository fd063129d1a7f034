"""Path-MTU discovery through the router, outwards and inwards.

The LAN's MTU is 1450, the WAN's 1500, the far cable's 1400. The peers are made to announce a full-sized MSS,
so that TCP, too, can only know by the ICMP errors.
"""

import socket
from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import ICMP, IP

from nfmasq.lab.clients import ask, download, ping, upload
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import CLIENT1, EXTERNAL, ISP_FAR, ROUTER_INTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

LAN_MTU, FAR_MTU = 1450, 1400
LAB = {"lan_mtu": LAN_MTU, "far_mtu": FAR_MTU}

IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14
FRAGMENTATION_NEEDED = (3, 4)


def _datagram_socket(source_port: int, remote: tuple[IPv4Address, int] | None = None) -> socket.socket:
    """A UDP socket which never lets its packets be fragmented."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    sock.settimeout(3)
    sock.bind(("", source_port))
    if remote is not None:
        sock.connect((str(remote[0]), remote[1]))
    return sock


def _path_mtu_after(sock: socket.socket, size: int, told: int) -> None:
    """Send datagrams of `size` bytes until the kernel has been told that the path's MTU is `told`."""

    def tried() -> bool:
        with suppress(OSError):  # EMSGSIZE, once it knows
            sock.send(bytes(size))
        return sock.getsockopt(socket.IPPROTO_IP, IP_MTU) == told

    wait_until(tried, f"a path MTU of {told}")
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # the error told of has been taken


def _is_fragmentation_needed(packet: bytes) -> bool:
    header = (packet[0] & 0x0F) * 4
    return packet[9] == socket.IPPROTO_ICMP and tuple(packet[header : header + 2]) == FRAGMENTATION_NEEDED


@pytest.fixture(autouse=True)
def _nothing_known_of_the_paths(net: Topology) -> None:
    for host in net.hosts:
        host.ip("route flush cache")


def _announce_a_full_mss(host: Namespace, route: str) -> None:
    host.ip(f"route replace {route} advmss 1460")


def test_a_client_is_told_the_mtu_behind_a_far_hop(net: Topology) -> None:
    told = ping(net.client1, SERVER2, "-M", "do", "-s", str(LAN_MTU - 28), count=1)
    assert f"mtu = {FAR_MTU}" in told.said


def test_a_udp_socket_learns_the_path_mtu(net: Topology) -> None:
    with net.client1.call(_datagram_socket, 5001, (SERVER2, 7)) as sock:
        _path_mtu_after(sock, LAN_MTU - 28, FAR_MTU)
        sock.send(bytes(FAR_MTU - 28))
        assert len(sock.recv(65535)) == FAR_MTU - 28


def test_the_error_reaches_the_client_with_its_own_packet_quoted(net: Topology) -> None:
    with Wire(net.client1, "eth0") as wire, net.client1.call(_datagram_socket, 5002, (SERVER2, 7)) as sock:
        sock.send(bytes(LAN_MTU - 28))
        error = IP(wire.expect(_is_fragmentation_needed))
    quoted = error[ICMP].payload
    assert (error.dst, quoted.src, quoted.dst) == (str(CLIENT1), str(CLIENT1), str(SERVER2))
    assert quoted.payload.sport == 5002
    assert error[ICMP].nexthopmtu == FAR_MTU
    rebuilt = error.copy()
    del rebuilt.chksum, rebuilt[ICMP].chksum
    assert IP(bytes(rebuilt))[ICMP].chksum == error[ICMP].chksum


def test_an_upload_through_a_narrow_far_cable_arrives_whole(net: Topology, lab: Lab) -> None:
    _announce_a_full_mss(net.server2, f"203.0.113.0/24 via {ISP_FAR}")
    sent = upload(net.client1, SERVER2, lab.payload)
    assert sent.sha256 == lab.payload.sha256


def test_a_download_into_a_narrow_lan_arrives_whole(net: Topology, lab: Lab) -> None:
    _announce_a_full_mss(net.client1, f"default via {ROUTER_INTERNAL}")
    with Wire(net.server1, "eth0") as wire:
        got = download(net.client1, SERVER1)
        assert any(_is_fragmentation_needed(packet) for packet in wire.seen()), "the MSS was never too large"
    assert got.sha256 == lab.payload.sha256


def test_a_server_is_told_the_mtu_of_the_lan_about_the_external_address(net: Topology) -> None:
    address, port, _ = ask(net.client1, (SERVER1, 53), b"who", source_port=5003).split()
    mapped = (IPv4Address(address.decode()), int(port))
    with Wire(net.server1, "eth0") as wire, net.server1.call(_datagram_socket, 5004, mapped) as sock:
        sock.send(bytes(1500 - 28))
        error = IP(wire.expect(_is_fragmentation_needed))
        _path_mtu_after(sock, 1500 - 28, LAN_MTU)
    quoted = error[ICMP].payload
    assert error.src == str(EXTERNAL), "the router's own error came from another address"
    assert (quoted.src, quoted.dst) == (str(SERVER1), str(EXTERNAL))
    assert (quoted.payload.sport, quoted.payload.dport) == (5004, mapped[1])
    assert error[ICMP].nexthopmtu == LAN_MTU
