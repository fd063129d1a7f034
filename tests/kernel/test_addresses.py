"""Which addresses the kernel sends by, and answers for."""

import socket

import pytest
from support.path import EXTERNAL, PORT, ROUTER_INSIDE, SERVER, Path

from nfmasq.lab.namespace import Namespace

pytestmark = pytest.mark.root

POOL = "203.0.113.96/30"
OF_THE_POOL = "203.0.113.98"
ETH_P_ARP = 0x0806


def _arp(namespace: Namespace, interface: str) -> socket.socket:
    opened: socket.socket = namespace.call(
        socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP)
    )
    opened.bind((interface, ETH_P_ARP))
    opened.settimeout(5)
    return opened


def test_without_an_address_of_its_own_an_interface_asks_by_an_internal_one(path: Path) -> None:
    """So nothing may be sent out while there is no external address."""
    path.router.ip("address flush dev wan0", "route add default dev wan0")
    with (
        _arp(path.server, "s0") as wire,
        path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(b"x", (SERVER, PORT))
        asked = wire.recv(100)
    assert socket.inet_ntoa(asked[14:18]) == ROUTER_INSIDE


@pytest.mark.parametrize("local", [False, True])
def test_a_local_route_makes_the_router_answer_for_a_whole_network(path: Path, local: bool) -> None:
    if local:
        path.router.ip(f"route add local {POOL} dev lo")
    said = path.server.run("ping", "-c", "1", "-W", "1", OF_THE_POOL, check=False)
    assert (" 1 received" in said) == local


def test_a_raw_socket_sends_from_an_address_that_is_on_no_interface(path: Path) -> None:
    for written, seen in ((OF_THE_POOL, OF_THE_POOL), ("0.0.0.0", EXTERNAL)):
        header = b"\x45\0\0\0\0\0\0\0\x40\xfd\0\0" + socket.inet_aton(written) + socket.inet_aton(SERVER)
        with (
            path.server.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, 0xFD) as receiver,
            path.router.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender,
        ):
            receiver.settimeout(5)
            sender.sendto(header + b"body", (SERVER, 0))
            packet, (source, _) = receiver.recvfrom(100)
            assert (source, packet[20:]) == (seen, b"body")
