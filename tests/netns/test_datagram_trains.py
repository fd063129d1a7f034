"""UDP with segmentation offload, as QUIC servers send it: one super-packet in the kernel, many on a cable."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from nfmasq.lab.clients import ask
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import EXTERNAL, SERVER1, Topology

SOL_UDP, UDP_SEGMENT = 17, 103
SEGMENT, COUNT = 1400, 40
TRAIN = b"".join(bytes([number]) * SEGMENT for number in range(COUNT))


@pytest.fixture(params=["alone", "beside conntrack"])
def _conntrack(lab: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    """A stateful rule makes the kernel verify checksums of what comes in."""
    rule = ("FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")
    if request.param == "alone":
        yield
        return
    lab.topology.router.run("iptables", "-A", *rule)
    yield
    lab.topology.router.run("iptables", "-D", *rule)


def _socket(namespace: Namespace, port: int) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.settimeout(2)
        sock.bind(("", port))
        return sock

    made: socket.socket = namespace.call(make)
    return made


def _carried(sender: socket.socket, to: tuple[IPv4Address, int], receiver: socket.socket) -> bytes:
    sender.setsockopt(SOL_UDP, UDP_SEGMENT, SEGMENT)
    sender.sendto(TRAIN, (str(to[0]), to[1]))
    return b"".join(receiver.recv(65535) for _ in range(COUNT))


@pytest.mark.usefixtures("_conntrack")
def test_a_client_s_train_arrives(net: Topology) -> None:
    with _socket(net.client1, 4200) as client, _socket(net.server1, 4443) as server:
        assert _carried(client, (SERVER1, 4443), server) == TRAIN


@pytest.mark.usefixtures("_conntrack")
def test_a_server_s_train_arrives(net: Topology) -> None:
    port = int(ask(net.client1, (SERVER1, 53), b"who", source_port=4201).split()[1])
    with _socket(net.client1, 4201) as client, _socket(net.server1, 4443) as server:
        assert _carried(server, (EXTERNAL, port), client) == TRAIN
