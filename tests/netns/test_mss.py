"""The MSS of connections through a WAN with a smaller MTU, as seen on both sides of the router."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP, TCP

from nfmasq.lab.clients import download, upload
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, ROUTER_INTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import patient, wait_until
from nfmasq.lab.wire import Wire

DSL_MTU = 1492
CLAMPED, FULL = DSL_MTU - 40, 1460
FORWARDED = 8080
SYN, ACK = 0x02, 0x10


@pytest.fixture(autouse=True)
def _dsl(net: Topology) -> Iterator[None]:
    """The line's MTU is known only once the daemon runs, as with PPP."""
    net.router.ip(f"link set wan0 mtu {DSL_MTU}")
    yield
    net.router.ip("link set wan0 mtu 1500")


@pytest.fixture
def _by_hand(daemon: DaemonUnderLab) -> Iterator[None]:
    """What a test sets in the configuration is undone."""
    yield
    daemon.write_config({"nat": {"mss": "auto"}})
    daemon.cli("reload")


def _announced(caller: Namespace, to: tuple[IPv4Address, int], listener: Namespace) -> tuple[int, int]:
    """Connect once; the MSS as the called sees it in the SYN, and the caller in the SYN with ACK."""
    with Wire(listener, "eth0") as far, Wire(caller, "eth0") as near:
        caller.call(socket.create_connection, (str(to[0]), to[1]), 3).close()
        return _mss(far, SYN), _mss(near, SYN | ACK)


def _mss(wire: Wire, flags: int) -> int:
    packet = IP(wire.expect(lambda p: p[9] == socket.IPPROTO_TCP and p[33] & (SYN | ACK) == flags))
    right = packet.copy()
    del right[TCP].chksum
    assert IP(bytes(right))[TCP].chksum == packet[TCP].chksum
    return int(dict(packet[TCP].options)["MSS"])


def _once_clamped_to(net: Topology, mss: int) -> tuple[int, int]:
    """The change of the MTU is followed within a second; wait for it."""
    seen = (0, 0)

    def now() -> bool:
        nonlocal seen
        seen = _announced(net.client1, (SERVER1, 80), net.server1)
        return seen[0] == mss

    assert wait_until(now, f"an MSS of {mss}") < patient(1)
    return seen


def test_both_directions_are_clamped_to_what_the_line_carries(net: Topology) -> None:
    assert _once_clamped_to(net, CLAMPED) == (CLAMPED, CLAMPED)


def test_the_line_s_mtu_is_followed_when_it_grows(net: Topology) -> None:
    _once_clamped_to(net, CLAMPED)
    net.router.ip("link set wan0 mtu 1500")
    assert _once_clamped_to(net, FULL) == (FULL, FULL)


def test_a_smaller_mss_is_left_as_it_is(net: Topology) -> None:
    _once_clamped_to(net, CLAMPED)
    net.client1.ip(f"route replace default via {ROUTER_INTERNAL} advmss 1000")
    try:
        assert _announced(net.client1, (SERVER1, 80), net.server1) == (1000, CLAMPED)
    finally:
        net.client1.ip(f"route replace default via {ROUTER_INTERNAL}")


def test_a_connection_from_outside_is_clamped_too(net: Topology, daemon: DaemonUnderLab) -> None:
    _once_clamped_to(net, CLAMPED)
    forward = {"protocol": "tcp", "external_port": FORWARDED, "to": f"{CLIENT1}:80"}
    added = daemon.api("/v1/forwards", "POST", forward)
    with net.client1.call(socket.create_server, (str(CLIENT1), 80)):
        assert _announced(net.server1, (EXTERNAL, FORWARDED), net.client1) == (CLAMPED, CLAMPED)
    daemon.api(f"/v1/forwards/{added['id']}", "DELETE")


@pytest.mark.usefixtures("_by_hand")
@pytest.mark.parametrize(("written", "seen"), [(0, FULL), (1300, 1300)])
def test_the_configuration_may_say_otherwise(
    net: Topology, daemon: DaemonUnderLab, written: int, seen: int
) -> None:
    daemon.write_config({"nat": {"mss": written}})
    daemon.cli("reload")
    assert _announced(net.client1, (SERVER1, 80), net.server1) == (seen, seen)


def test_files_arrive_whole_both_ways(net: Topology, lab: Lab) -> None:
    _once_clamped_to(net, CLAMPED)
    assert download(net.client1, SERVER1).sha256 == lab.payload.sha256
    assert upload(net.client1, SERVER1, lab.payload).sha256 == lab.payload.sha256
