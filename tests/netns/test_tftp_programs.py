"""TFTP end to end: three servers, three clients, both directions, under every mapping and filtering."""

import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import product
from pathlib import Path

import pytest

from netns.tftp_programs import CLIENTS, SERVERS, get, put, tftp_server
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, SERVER2, Topology

BEHAVIOURS = ("endpoint-independent", "address-dependent", "address-and-port-dependent")
BEHAVING = {
    IPv4Address("192.168.1.100") + number: pair for number, pair in enumerate(product(BEHAVIOURS, BEHAVIOURS))
}
"""The mapping and the filtering of each of a client's addresses."""
STRICT = list(BEHAVING)[-1]

LAB = {
    "config": {
        "helpers": {"tftp": True},
        "network": [
            {"cidr": f"{client}/32", "mapping": mapping, "filtering": filtering}
            for client, (mapping, filtering) in [*BEHAVING.items(), (CLIENT1, BEHAVING[STRICT])]
        ],
        "forward": [{"protocol": "udp", "external_port": 69, "to": f"{CLIENT2}:69"}],
    }
}
SIZE = 100_000


@pytest.fixture(scope="module", params=SERVERS)
def files(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The files of a server outside."""
    with tftp_server(lab.topology.server1, request.param, SERVER1) as place:
        yield place


def new_file(place: Path, name: str) -> bytes:
    """A file that anybody may read; its bytes."""
    data = os.urandom(SIZE)
    (place / name).write_bytes(data)
    (place / name).chmod(0o666)
    return data


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_comes_from_outside(net: Topology, files: Path, client: str, tmp_path: Path) -> None:
    data = new_file(files, "get.bin")
    get(net.client1, client, SERVER1, "get.bin", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == data


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_goes_outside(
    net: Topology, files: Path, client: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "dnsmasq" in request.node.name:
        pytest.skip("dnsmasq takes no files")
    data = new_file(tmp_path, f"put-{client}.bin")
    put(net.client1, client, SERVER1, tmp_path / f"put-{client}.bin")
    assert (files / f"put-{client}.bin").read_bytes() == data


@pytest.mark.parametrize("address", BEHAVING, ids=lambda address: " ".join(BEHAVING[address]))
def test_under_every_mapping_and_filtering(
    net: Topology, files: Path, address: IPv4Address, tmp_path: Path
) -> None:
    data = new_file(files, "get.bin")
    net.client1.ip(f"address replace {address}/24 dev eth0")
    get(net.client1, "curl", SERVER1, "get.bin", tmp_path / "got", "--interface", str(address))
    assert (tmp_path / "got").read_bytes() == data


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("server", SERVERS)
def test_a_client_outside_asks_a_server_inside(
    net: Topology, daemon: DaemonUnderLab, server: str, client: str, tmp_path: Path
) -> None:
    with tftp_server(net.client2, server, CLIENT2) as place:
        data = new_file(place, "get.bin")
        get(net.server1, client, EXTERNAL, "get.bin", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == data


def test_one_port_may_ask_again_and_again(net: Topology, files: Path) -> None:
    """Boot loaders ask for the next file from the port that asked for the first."""
    data = new_file(files, "small.bin")[:512]
    asking = net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with asking:
        asking.settimeout(10)
        answered = set()
        for _ in range(3):
            asking.sendto(b"\0\1small.bin\0octet\0", (str(SERVER1), 69))
            block, source = asking.recvfrom(2000)
            assert block == b"\0\3\0\1" + data
            asking.sendto(b"\0\5\0\0enough\0", source)
            answered.add(source)
    assert {address for address, _ in answered} == {str(SERVER1)}


def test_a_third_host_s_answer_does_not_come_in(net: Topology, daemon: DaemonUnderLab) -> None:
    """The file is asked of a server that does not answer; the ISP answers in its place."""
    asking = net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    asked = net.server2.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    answering = net.isp.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with asking, asked, answering:
        asked.bind((str(SERVER2), 69))
        asking.bind((str(CLIENT1), 0))
        near = asking.getsockname()[1]
        asking.sendto(b"\0\1nothing.bin\0octet\0", (str(SERVER2), 69))
        assert asked.recv(2000)
        rows = daemon.api("/v1/sessions?protocol=udp")["sessions"]
        externals = {row["external"] for row in rows if row["internal"] == f"{CLIENT1}:{near}"}
        assert externals
        for external in externals:
            address, port = external.split(":")
            answering.sendto(b"\0\3\0\1forged", (address, int(port)))
        asking.settimeout(0.5)
        with pytest.raises(TimeoutError):
            asking.recvfrom(2000)
