"""The default host beside rules of others that lead packets inside (DNAT): it gets what they leave.

The rules are the test's own: a worker's queue in raw PREROUTING, one behind the kernel's destination
translation, and a firewall that drops what connection tracking takes for invalid.
"""

import socket
import struct
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.packets import ACK, tcp
from support.path import CLIENT, EXTERNAL, SERVER, Path

from nfmasq._fastpath import Table
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget, Policy, Uplink
from nfmasq.core.worker import Worker
from nfmasq.lab.namespace import Namespace, join
from nfmasq.lab.waiting import wait_until

pytestmark = pytest.mark.root

QUEUE, UNTAKEN = 100, 101
CONTAINER, BRIDGE = "172.17.0.2", "172.17.0.1"
PUBLISHED, OTHER_PORT = 20000, 8080
PATIENCE_S = 5.0
HEADER = 20
SCTP, GRE, ESP, IPIP = 132, 47, 50, 4
DEFAULT_HOST = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(IPv4Address(CLIENT)),))
TO_US = f"-i wan0 -d {EXTERNAL}"
RULES = (
    "-t raw -A PREROUTING -i wan0 -m socket --nowildcard -j ACCEPT",
    f"-t raw -A PREROUTING {TO_US} -j NFQUEUE --queue-num {QUEUE}",
    f"-t nat -A PREROUTING {TO_US} -p tcp --dport {PUBLISHED} -j DNAT --to {CONTAINER}:80",
    f"-t nat -A PREROUTING {TO_US} -p udp --dport {PUBLISHED} -j DNAT --to {CONTAINER}:53",
    f"-t nat -A PREROUTING {TO_US} -p sctp --dport {PUBLISHED} -j DNAT --to {CONTAINER}",
    f"-t nat -A PREROUTING {TO_US} -p {GRE} -j DNAT --to {CONTAINER}",
    f"-t nat -A PREROUTING {TO_US} -m socket --nowildcard -j RETURN",
    f"-t nat -A PREROUTING {TO_US} -j NFQUEUE --queue-num {UNTAKEN}",
    "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
    "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT",
    "-A FORWARD -i wan0 -j ACCEPT",
    "-A FORWARD -j DROP",
    f"-t mangle -A INPUT {TO_US} -p tcp -j NFQUEUE --queue-num {QUEUE}",
    "-t mangle -A POSTROUTING -o wan0 -m conntrack --ctstate DNAT --ctdir REPLY -j RETURN",
    f"-t mangle -A POSTROUTING -o wan0 -s {CLIENT} -j NFQUEUE --queue-num {QUEUE}",
)
"""The firewall lets internal hosts answer, and begin nothing."""


class Beside:
    """A router with nfmasq's table, whose default host is the client, and a container beside it."""

    def __init__(self, path: Path, container: Namespace, table: Table) -> None:
        self.path = path
        self.container = container
        self.table = table

    def internal_hosts(self) -> set[str]:
        """Whose sessions nfmasq has."""
        return {str(row.internal[0]) for row in self.table.sessions(limit=100)}

    def invalid(self) -> int:
        """How many packets the firewall has taken for invalid."""
        listed = self.path.router.run("iptables", "-w", "-nvxL", "FORWARD")
        return next(int(line.split()[0]) for line in listed.splitlines() if "INVALID" in line)


@pytest.fixture
def beside(as_root: None) -> Iterator[Beside]:
    """nfmasq beside a container on one router."""
    table = Table(None, 1000)
    with Path() as path, Namespace("container") as container:
        join(path.router, "docker0", container, "e0")
        path.router.ip(f"address add {BRIDGE}/24 dev docker0")
        container.ip(f"address add {CONTAINER}/24 dev e0", f"route add default via {BRIDGE}")
        path.iptables(*RULES)
        index = path.router.call(socket.if_nametoindex, "wan0")
        uplink = Uplink.pool(IPv4Address(EXTERNAL), index=index)
        lan = IPv4Network("192.168.1.0/24")
        table.configure(Policy((uplink,), (lan,), forwards=(DEFAULT_HOST,), others_lead=True))
        queues = partial(Worker, count=2, whole=False, untaken_queue=UNTAKEN)
        worker: Worker = path.router.call(queues, QUEUE, table)
        worker.start()
        yield Beside(path, container, table)
        worker.stop()
    table.close()


def opened(namespace: Namespace, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that waits no longer than the test does."""
    made: socket.socket = namespace.call(socket.socket, socket.AF_INET, kind, protocol)
    made.settimeout(PATIENCE_S)
    return made


def converse(beside: Beside, host: Namespace, address: str, port: int, inner_port: int) -> None:
    """A connection from outside to this external port, which this host accepts and answers."""
    with opened(host, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, inner_port))
        listener.listen()
        caller = beside.path.server.call(socket.create_connection, (EXTERNAL, port), PATIENCE_S)
        with caller, listener.accept()[0] as accepted:
            for _ in range(3):
                caller.sendall(b"ask")
                assert accepted.recv(100) == b"ask"
                accepted.sendall(b"answer")
                assert caller.recv(100) == b"answer"


def exchange(beside: Beside, host: Namespace, address: str, port: int, inner_port: int) -> None:
    """Datagrams from outside to this external port, which this host gets and answers."""
    with opened(host, socket.SOCK_DGRAM) as near, opened(beside.path.server, socket.SOCK_DGRAM) as far:
        near.bind((address, inner_port))
        far.bind((SERVER, 0))
        for _ in range(3):
            far.sendto(b"ask", (EXTERNAL, port))
            data, peer = near.recvfrom(100)
            near.sendto(b"answer", peer)
            assert (data, far.recvfrom(100)) == (b"ask", (b"answer", (EXTERNAL, port)))


def reaches(beside: Beside, host: Namespace, protocol: int, payload: bytes) -> None:
    """A packet without ports that nfmasq knows of comes to this host."""
    with (
        opened(host, socket.SOCK_RAW, protocol) as near,
        opened(beside.path.server, socket.SOCK_RAW, protocol) as far,
    ):
        far.sendto(payload, (EXTERNAL, 0))
        assert near.recv(200)[HEADER:] == payload


def crc32c(data: bytes) -> int:
    """SCTP's checksum (RFC 9260 appendix A), which connection tracking looks at."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def sctp_init(port: int) -> bytes:
    """The first packet of an association."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 77, 65536, 1, 1, 1)
    packet = struct.pack("!HHII", 5000, port, 0, 0) + chunk
    return packet[:8] + struct.pack("<I", crc32c(packet)) + packet[12:]


def test_the_default_host_gets_a_connection_that_nobody_published(beside: Beside) -> None:
    converse(beside, beside.path.client, CLIENT, OTHER_PORT, OTHER_PORT)
    assert beside.internal_hosts() == {CLIENT}
    assert beside.invalid() == 0, "a firewall knows the answers"


def test_the_default_host_gets_datagrams_that_nobody_published(beside: Beside) -> None:
    exchange(beside, beside.path.client, CLIENT, OTHER_PORT, OTHER_PORT)
    assert beside.internal_hosts() == {CLIENT}
    assert beside.invalid() == 0


def test_a_published_port_is_its_containers(beside: Beside) -> None:
    converse(beside, beside.container, CONTAINER, PUBLISHED, 80)
    exchange(beside, beside.container, CONTAINER, PUBLISHED, 53)
    assert beside.internal_hosts() == set()


def test_what_one_remote_endpoint_sends_to_both_is_told_apart(beside: Beside) -> None:
    for _ in range(2):
        converse(beside, beside.path.client, CLIENT, OTHER_PORT, OTHER_PORT)
        converse(beside, beside.container, CONTAINER, PUBLISHED, 80)
    assert beside.internal_hosts() == {CLIENT}


def test_an_association_of_sctp_goes_where_its_port_leads(beside: Beside) -> None:
    reaches(beside, beside.container, SCTP, sctp_init(PUBLISHED))
    assert beside.internal_hosts() == set()
    reaches(beside, beside.path.client, SCTP, sctp_init(OTHER_PORT))
    assert beside.internal_hosts() == {CLIENT}


def test_a_tunnel_goes_where_its_protocol_leads(beside: Beside) -> None:
    reaches(beside, beside.container, GRE, b"\0\0\x08\0published")
    assert beside.internal_hosts() == set()
    for protocol in (ESP, IPIP):
        reaches(beside, beside.path.client, protocol, b"\0\0\x08\0unclaimed")
    assert beside.internal_hosts() == {CLIENT}


def test_a_ping_is_the_routers(beside: Beside) -> None:
    assert " 0% packet loss" in beside.path.server.run("ping", "-c2", "-i0.1", "-W2", EXTERNAL)
    assert beside.internal_hosts() == set()


def test_a_socket_of_the_router_comes_before_the_default_host(beside: Beside) -> None:
    exchange(beside, beside.path.router, EXTERNAL, OTHER_PORT, OTHER_PORT)
    assert beside.internal_hosts() == set()


def test_what_nobody_takes_and_the_core_refuses_is_dropped_with_its_reason(beside: Beside) -> None:
    """The middle of a connection begins no session: the router's own stack would answer it with an RST."""
    before = sum(beside.table.counters().dropped)
    with opened(beside.path.server, socket.SOCK_RAW, socket.IPPROTO_TCP) as far:
        segment = tcp(IPv4Address(SERVER), 4000, IPv4Address(EXTERNAL), OTHER_PORT, ACK)[HEADER:]
        far.sendto(segment, (EXTERNAL, 0))
        wait_until(lambda: sum(beside.table.counters().dropped) > before, "the segment to be dropped")
    assert beside.internal_hosts() == set()
