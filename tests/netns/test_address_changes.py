"""The external address changes, goes, and comes back, as with DHCP and dial-up lines."""

import json
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from nfmasq.lab.clients import Download, ask, ping
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, ISP, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import patient, wait_until
from nfmasq.lab.wire import Wire

NEW = IPv4Address("203.0.113.77")
LAB = {"also_external": (NEW,)}
WITHIN_S = patient(1.0)
SILENT_PORT = 4000


@pytest.fixture(autouse=True)
def _the_old_address_again(net: Topology, daemon: DaemonUnderLab) -> Iterator[None]:
    yield
    _renumber(net, EXTERNAL)
    _followed(daemon, EXTERNAL)


def _renumber(net: Topology, *addresses: IPv4Address) -> None:
    """New addresses come before old ones go: a router without any asks ARP with an internal one."""
    net.router.sysctl("ipv4/conf/wan0/promote_secondaries", 1)
    net.router.ip(
        *(f"address replace {address}/24 dev wan0" for address in addresses),
        *(f"address delete {old}/24 dev wan0" for old in _addresses(net) if old not in addresses),
        f"route replace default {f'via {ISP} ' if addresses else ''}dev wan0",
    )


def _addresses(net: Topology) -> list[IPv4Address]:
    shown = json.loads(net.router.run("ip", "-json", "-4", "address", "show", "dev", "wan0"))
    return [IPv4Address(entry["local"]) for link in shown for entry in link.get("addr_info", [])]


def _followed(daemon: DaemonUnderLab, *addresses: IPv4Address) -> float:
    """Wait until these addresses are used and the rules are for them; return the seconds it took."""

    def done() -> bool:
        status = daemon.api("/v1/status")
        used: list[str] = status["external_addresses"]
        return used == [*map(str, addresses)] and bool(status["rules"]["in_place"])

    return wait_until(done, f"{addresses or 'the loss'} to be followed")


def _externals(daemon: DaemonUnderLab, **asked: str) -> set[str]:
    """The external addresses of the sessions there are."""
    question = "&".join(f"{key}={value}" for key, value in asked.items())
    rows = daemon.api(f"/v1/sessions?{question}")["sessions"]
    return {row["external"].partition(":")[0] for row in rows}


def test_the_new_address_is_followed_within_a_second_and_the_old_sessions_end(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    changes = daemon.metrics()["nfmasq_address_changes_total"]
    ask(net.client1, (SERVER1, 53), b"who", source_port=4100)
    running = Download(net.client1, SERVER1, "--limit-rate", "5M")
    try:
        wait_until(lambda: running.received > 0, "the download to be under way")
        _renumber(net, NEW)
        assert _followed(daemon, NEW) < WITHIN_S
        assert str(EXTERNAL) not in _externals(daemon)
    finally:
        running.close()
    assert ask(net.client1, (SERVER1, 53), b"who", source_port=4100).startswith(str(NEW).encode())
    assert daemon.metrics()["nfmasq_address_changes_total"] == changes + 1


def test_a_connection_not_yet_answered_goes_on_by_the_new_address(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    """curl's SYN is lost, the address changes, and its next SYN makes the connection."""
    silence = "INPUT -p tcp --dport 80 --syn -j DROP"
    net.server1.run("iptables", "-A", *silence.split())
    curl = net.client1.popen("curl", "-sS", "--max-time", "20", f"http://{SERVER1}/seen", stdout=-1)
    try:
        wait_until(
            lambda: _externals(daemon, port="80", protocol="tcp") == {str(EXTERNAL)}, "curl's first SYN"
        )
        _renumber(net, NEW)
        _followed(daemon, NEW)
    finally:
        net.server1.run("iptables", "-D", *silence.split())
    said, _ = curl.communicate(timeout=30)
    assert (curl.returncode, said.split()[:1]) == (0, [str(NEW)])


def test_a_datagram_socket_not_yet_answered_goes_on_by_the_new_address(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    with (
        net.server1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as server,
        net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind((str(SERVER1), SILENT_PORT))
        server.settimeout(3)
        client.connect((str(SERVER1), SILENT_PORT))
        client.settimeout(3)
        client.send(b"first")
        first, (address, _) = server.recvfrom(100)
        assert (first, address) == (b"first", str(EXTERNAL))
        _renumber(net, NEW)
        _followed(daemon, NEW)
        client.send(b"second")
        second, sender = server.recvfrom(100)
        assert (second, sender[0]) == (b"second", str(NEW))
        server.sendto(b"answer", sender)
        assert client.recv(100) == b"answer"


def test_without_an_address_the_status_says_so_and_senders_are_told(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    _renumber(net)
    _followed(daemon)
    status = daemon.api("/v1/status")
    assert status["state"] == "degraded"
    assert status["reasons"] == ["no external address on wan0; waiting for one"]
    before = daemon.drops().get("no_external_address", 0)
    with Wire(net.client1, "eth0") as wire:
        with net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"anybody?", (str(SERVER2), SILENT_PORT))
        told = wire.expect(lambda packet: packet[9] == socket.IPPROTO_ICMP and packet[20] == 3)
    assert told[16:20] == CLIENT1.packed
    assert daemon.drops()["no_external_address"] == before + 1


def test_an_address_after_none_is_taken_up_within_a_second(net: Topology, daemon: DaemonUnderLab) -> None:
    _renumber(net)
    _followed(daemon)
    _renumber(net, NEW)
    assert _followed(daemon, NEW) < WITHIN_S
    assert daemon.api("/v1/status")["reasons"] == []
    assert ping(net.client1, SERVER2, count=1).received == 1
