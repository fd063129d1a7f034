"""Whoever floods a helper's port, inside or outside: the others have their helper.

Real FTP at both ends, with real packets and the default limits. Nobody answers the flood from inside. The one
from outside is answered by the server, and the answers go nowhere.
"""

import os
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path

import pytest
from support.packets import SYN, tcp

from netns.ftp_clients import Task, curl
from netns.ftp_servers import login_of, serving, vsftpd
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER2, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

LAB = {
    "config": {
        "helpers": {"ftp": True},
        "forward": [{"protocol": "tcp", "external_port": 21, "to": f"{CLIENT2}:21"}],
    }
}
COUNT, GROUP = 40_000, 500
NOWHERE = IPv4Address("198.18.0.1")


def from_inside() -> Iterator[bytes]:
    """Handshakes of one host with 40,000 servers."""
    for nth in range(COUNT):
        yield tcp(CLIENT1, 2000 + nth % 60_000, NOWHERE + nth, 21, SYN)


def from_outside() -> Iterator[bytes]:
    """Handshakes of 40,000 hosts with the forwarded server."""
    for nth in range(COUNT):
        yield tcp(NOWHERE + nth, 2000, EXTERNAL, 21, SYN)


def flood(wire: Wire, packets: Iterator[bytes], count: int, daemon: DaemonUnderLab) -> None:
    """Send so many, a group at a time: none is lost before it comes to the daemon."""
    for _ in range(0, count, GROUP):
        for packet in islice(packets, GROUP):
            wire.send_ip(packet)
        wait_until(lambda: daemon.waiting() < GROUP, "the daemon to have dealt with the packets")


def transfers(host: Namespace, form: str, server: IPv4Address, files: Path, place: Path) -> bool:
    """Does a file come and another go, by data connections that need the helper?"""
    for directory in (place / "got", place / "given", files / place.name):
        directory.mkdir(parents=True)
    (files / place.name).chmod(0o777)
    for path in (files / "file", place / "given" / "file"):
        path.write_bytes(os.urandom(50_000))
    said = curl(host, form, Task(server, login_of(vsftpd), ["file"], place, place.name))
    assert form in said
    pairs = (files / "file", place / "got" / "file"), (place / "given" / "file", files / place.name / "file")
    return all(there.read_bytes() == here.read_bytes() for there, here in pairs)


@pytest.mark.parametrize("inwards", [False, True], ids=["from inside", "from outside"])
def test_other_clients_and_servers_transfer(
    inwards: bool, net: Topology, daemon: DaemonUnderLab, tmp_path: Path
) -> None:
    near, interface = (net.server1, "wan0") if inwards else (net.client1, "lan0")
    packets = from_outside() if inwards else from_inside()
    with (
        serving(vsftpd, net.server2) as outside,
        serving(vsftpd, net.client2) as inside,
        Wire(near, "eth0", (net.router, interface)) as wire,
    ):
        for nth in range(3):
            flood(wire, packets, COUNT // 3, daemon)
            assert transfers(net.client2, "PORT", SERVER2, outside, tmp_path / f"out{nth}")
            assert transfers(net.isp, "PASV", EXTERNAL, inside, tmp_path / f"in{nth}")
