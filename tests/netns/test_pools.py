"""A pool of external addresses on no interface, in pieces: routed here, and in the outside's own network."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest

from nfmasq.lab.clients import ask, download, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import EXTERNAL, ISP_FAR, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

ROUTED = ("192.0.2.7", "192.0.2.16/30")
ON_LINK = "203.0.113.97"
POOL = frozenset(address for piece in (*ROUTED, ON_LINK) for address in IPv4Network(piece))
LAB = {"config": {"nat": {"addresses": [*ROUTED, ON_LINK]}}, "also_external": POOL}

HOSTS = tuple(IPv4Address("192.168.1.100") + number for number in range(40))
"""Enough of them that each address of the pool is somebody's."""
BEYOND_THE_PORTS = 50000


@pytest.fixture(autouse=True, scope="module")
def _reachable(lab: Lab) -> None:
    """The outside's routes to the pool, and the router's answer to ARP, as `nfmasq doctor` advises."""
    net = lab.topology
    for outside, gateway in ((net.isp, EXTERNAL), (net.server1, EXTERNAL), (net.server2, ISP_FAR)):
        outside.ip(f"route add 192.0.2.0/24 via {gateway}")
    net.router.ip(f"route add local {ON_LINK}/32 dev lo")
    net.client1.ip(*(f"address add {host}/24 dev eth0" for host in HOSTS))


@pytest.fixture
def appearing(net: Topology) -> dict[IPv4Address, IPv4Address]:
    """As which address each host appears."""
    return {host: _seen_as(net, host) for host in HOSTS}


def _seen_as(net: Topology, host: IPv4Address, server: IPv4Address = SERVER1) -> IPv4Address:
    answer = ask(net.client1, (server, 53), b"who", source=host)
    return IPv4Address(answer.split()[0].decode())


def test_every_address_of_the_pool_is_used_and_answers_come_back(
    appearing: dict[IPv4Address, IPv4Address],
) -> None:
    assert set(appearing.values()) == POOL


def test_a_host_appears_as_one_address_everywhere(
    net: Topology, appearing: dict[IPv4Address, IPv4Address]
) -> None:
    """Paired pooling (RFC 4787 REQ-2)."""
    assert {host: _seen_as(net, host, SERVER2) for host in HOSTS} == appearing


def test_files_and_pings_pass(net: Topology, lab: Lab) -> None:
    for client in (net.client1, net.client2):
        assert download(client, SERVER2).sha256 == lab.payload.sha256
        assert ping(client, SERVER1, count=2).received == 2


def test_what_is_nobody_s_does_not_circle_between_the_routers(net: Topology) -> None:
    nobodys = POOL - {IPv4Address(ON_LINK)}
    with Wire(net.isp, "near") as wire:
        for address in nobodys:
            with pytest.raises(ProgramError):
                ask(net.server2, (address, BEYOND_THE_PORTS), b"anybody?", tries=1)
        towards = [packet for packet in wire.seen() if IPv4Address(packet[16:20]) in nobodys]
    assert len(towards) == len(nobodys), "the router sent some of it back"


@pytest.fixture
def smaller(lab: Lab, daemon: DaemonUnderLab) -> Iterator[frozenset[IPv4Address]]:
    """A pool to which the one before can be made to shrink."""
    yield POOL - {IPv4Address(ON_LINK)}
    daemon.write_config({"nat": {"addresses": [*ROUTED, ON_LINK]}})
    daemon.cli("reload")


def test_a_pool_that_shrinks_moves_only_those_who_had_the_lost_address(
    net: Topology,
    daemon: DaemonUnderLab,
    appearing: dict[IPv4Address, IPv4Address],
    smaller: frozenset[IPv4Address],
) -> None:
    daemon.write_config({"nat": {"addresses": list(ROUTED)}})
    daemon.cli("reload")
    wait_until(
        lambda: not any(str(ON_LINK) in row["external"] for row in daemon.api("/v1/sessions")["sessions"]),
        "the sessions of the lost address to end",
    )
    for host, address in appearing.items():
        now = _seen_as(net, host)
        assert now in smaller
        assert now == address or address == IPv4Address(ON_LINK)
