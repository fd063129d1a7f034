"""Other programs translate on the same router, past a real kernel: containers, tunnels, local programs.

The rules are the test's own: a worker's queue in raw PREROUTING, in mangle INPUT and in mangle POSTROUTING.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.path import CLIENT, EXTERNAL, SERVER, Path

from nfmasq._fastpath import Table
from nfmasq.core.policy import (
    ALL_PORTS,
    ANY_PROTOCOL,
    EVERYWHERE,
    Behaviour,
    Filtering,
    Forward,
    ForwardTarget,
    NetworkBehaviour,
    Policy,
    Uplink,
)
from nfmasq.core.worker import Worker
from nfmasq.lab.namespace import Namespace, join

pytestmark = pytest.mark.root

QUEUE = 100
CONTAINER, BRIDGE = "172.17.0.2", "172.17.0.1"
LAN = IPv4Network("192.168.1.0/24")
PORT = 20000
"""Of the range that is handed out."""
HEADER = 20
OURS = "0x80000000"
"""The bit of the mark that a policy has by default."""
SHORT_S, LONG_S = 0.3, 5.0
DEFAULT_HOST = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(IPv4Address(CLIENT)),))


@dataclass
class Beside:
    """A router with nfmasq's table and a container that the kernel masquerades."""

    path: Path
    container: Namespace
    table: Table

    def configure(self, *forwards: Forward, filtering: Filtering = Filtering.ADDRESS_DEPENDENT) -> None:
        """Take over these forwards and this filtering of UDP."""
        behaviours = (NetworkBehaviour(EVERYWHERE, udp=Behaviour(filtering=filtering)),)
        uplink = Uplink.pool(IPv4Address(EXTERNAL), index=self.index)
        self.table.configure(Policy((uplink,), (LAN,), forwards=forwards, behaviours=behaviours))

    @property
    def index(self) -> int:
        """Of the external interface."""
        return self.path.router.call(socket.if_nametoindex, "wan0")

    def dropped(self) -> int:
        """How many packets the core has dropped."""
        return sum(self.table.counters().dropped)

    def created(self) -> int:
        """How many sessions have begun."""
        return sum(self.table.counters().created)


@pytest.fixture
def beside(as_root: None) -> Iterator[Beside]:
    """nfmasq beside a container on one router."""
    table = Table(None, 1000)
    with Path() as path, Namespace("container") as container:
        join(path.router, "docker0", container, "e0")
        path.router.ip(f"address add {BRIDGE}/24 dev docker0")
        container.ip(f"address add {CONTAINER}/24 dev e0", f"route add default via {BRIDGE}")
        path.iptables(
            f"-t nat -A POSTROUTING -s {CONTAINER}/24 ! -o docker0 -j MASQUERADE",
            f"-t nat -A PREROUTING -d {EXTERNAL} -p tcp --dport {PORT} -j DNAT --to {CONTAINER}:80",
            "-t raw -A PREROUTING -i wan0 -m socket --nowildcard -j ACCEPT",
            f"-t raw -A PREROUTING -i wan0 -d {EXTERNAL} -j NFQUEUE --queue-num {QUEUE}",
            f"-t mangle -A INPUT -d {EXTERNAL} -p tcp --dport 1024:32767 -j NFQUEUE --queue-num {QUEUE}",
            f"-t mangle -A INPUT -d {EXTERNAL} -p udp --dport 1024:32767 -j NFQUEUE --queue-num {QUEUE}",
            f"-t mangle -A POSTROUTING -o wan0 -s {LAN} -j NFQUEUE --queue-num {QUEUE}",
        )
        worker: Worker = path.router.call(Worker, QUEUE, table)
        worker.start()
        made = Beside(path, container, table)
        made.configure()
        yield made
        worker.stop()
    table.close()


def datagrams(namespace: Namespace, address: str, port: int) -> socket.socket:
    """A UDP socket."""
    opened: socket.socket = namespace.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, port))
    opened.settimeout(LONG_S)
    return opened


def exchange(beside: Beside, port: int) -> tuple[str, int]:
    """The container asks the server, which answers; the external endpoint that the server saw."""
    with (
        datagrams(beside.container, CONTAINER, port) as inner,
        datagrams(beside.path.server, SERVER, 53) as outer,
    ):
        inner.sendto(b"question", (SERVER, 53))
        seen: tuple[str, int] = outer.recvfrom(100)[1]
        outer.sendto(b"answer", seen)
        assert inner.recvfrom(100) == (b"answer", (SERVER, 53))
    return seen


@pytest.mark.parametrize("forwards", [(), (DEFAULT_HOST,)], ids=["alone", "beside a default host"])
def test_a_masqueraded_container_gets_its_answers(beside: Beside, forwards: tuple[Forward, ...]) -> None:
    beside.configure(*forwards)
    assert exchange(beside, PORT + 1) == (EXTERNAL, PORT + 1), "a port that nfmasq hands out too"
    assert (beside.created(), beside.dropped()) == (0, 0)


def test_the_default_host_gets_what_no_one_knows(beside: Beside) -> None:
    beside.configure(DEFAULT_HOST)
    exchange(beside, PORT + 1)
    with (
        datagrams(beside.path.client, CLIENT, PORT + 2) as host,
        datagrams(beside.path.server, SERVER, 53) as outer,
    ):
        for sent in (b"one", b"two"):
            outer.sendto(sent, (EXTERNAL, PORT + 2))
            assert host.recv(100) == sent
        host.sendto(b"back", (SERVER, 53))
        assert outer.recvfrom(100) == (b"back", (EXTERNAL, PORT + 2))
    assert beside.created() == 1


def portless(namespace: Namespace, protocol: int) -> socket.socket:
    """A tunnel's end, as a program has it: a socket for one protocol without ports."""
    opened: socket.socket = namespace.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, protocol)
    opened.settimeout(LONG_S)
    return opened


@pytest.mark.parametrize("protocol", [4, 47, 50], ids=["ipip", "gre", "esp"])
def test_a_tunnel_of_the_routers_own_beside_a_default_host(beside: Beside, protocol: int) -> None:
    """Its packets have no ports: only conntrack tells them from those that the default host is to get."""
    beside.configure(DEFAULT_HOST)
    there, back = b"\0\0\x08\0there", b"\0\0\x08\0back"
    with portless(beside.path.router, protocol) as near, portless(beside.path.server, protocol) as far:
        near.sendto(there, (SERVER, 0))
        assert far.recvfrom(100)[0][HEADER:] == there
        far.sendto(back, (EXTERNAL, 0))
        assert near.recvfrom(100)[0][HEADER:] == back
    assert beside.created() == 0


@pytest.mark.parametrize("protocol", [4, 47, 50], ids=["ipip", "gre", "esp"])
def test_the_default_host_gets_a_tunnel_that_nobody_knows(beside: Beside, protocol: int) -> None:
    beside.configure(DEFAULT_HOST)
    with portless(beside.path.client, protocol) as host, portless(beside.path.server, protocol) as far:
        far.sendto(b"\0\0\x08\0there", (EXTERNAL, 0))
        assert host.recvfrom(100)[0][HEADER:] == b"\0\0\x08\0there"
    assert beside.created() == 1


def test_a_published_port_leads_to_its_container(beside: Beside) -> None:
    """No host inside uses the port: the first look lets the packet by, and the DNAT rule after it counts."""
    listener: socket.socket = beside.container.call(socket.create_server, (CONTAINER, 80))
    with listener:
        listener.settimeout(LONG_S)
        opened = beside.path.server.call(socket.create_connection, (EXTERNAL, PORT), LONG_S)
        with opened:
            accepted, peer = listener.accept()
            with accepted:
                opened.sendall(b"hello")
                assert (accepted.recv(100), peer[0]) == (b"hello", SERVER)
    assert beside.dropped() == 0


def test_what_nobody_knows_is_dropped_at_the_second_look_and_not_answered(beside: Beside) -> None:
    def connect() -> str:
        with socket.socket() as opened:
            opened.settimeout(SHORT_S)
            try:
                opened.connect((EXTERNAL, PORT + 3))
            except OSError as error:
                return type(error).__name__
        return "connected"

    assert beside.path.server.call(connect) == "TimeoutError", "the router's own stack stays silent"
    assert beside.dropped() == 1
    assert beside.table.counters().passed == 1
    assert len(beside.table.refusals(1 << 31)) == 1, "and answers later, unless a session begins"


def packets(beside: Beside, table: str, chain: str) -> int:
    """How many packets the chain's last rule has met."""
    listed = beside.path.router.run("iptables", "-w", "-t", table, "-nvxL", chain)
    return int(listed.splitlines()[-1].split()[0])


def test_marks_of_other_programs_survive_both_passes_of_a_hairpinned_packet(beside: Beside) -> None:
    """Policy routing, kube-proxy and VPNs keep theirs in the bits that are not ours."""
    beside.configure(filtering=Filtering.ENDPOINT_INDEPENDENT)
    beside.path.iptables(
        f"-t raw -A PREROUTING -i lan0 -d {EXTERNAL} -j MARK --set-mark 0x7edcba98",
        f"-t raw -A PREROUTING -i lan0 -d {EXTERNAL} -j NFQUEUE --queue-num {QUEUE}",
        "-t mangle -A FORWARD -o lan0 -m mark --mark 0xfedcba98",
        f"-t mangle -A POSTROUTING -o lan0 -m mark --mark {OURS}/{OURS} -j NFQUEUE --queue-num {QUEUE}",
        "-t nat -A POSTROUTING -o lan0 -m mark --mark 0x7edcba98",
    )
    client, server = beside.path.client, beside.path.server
    with (
        datagrams(client, CLIENT, 5000) as receiver,
        datagrams(client, CLIENT, 6000) as sender,
        datagrams(server, SERVER, 53) as outer,
    ):
        receiver.sendto(b"here", (SERVER, 53))
        _, seen = outer.recvfrom(100)
        sender.sendto(b"hairpinned", seen)
        assert receiver.recvfrom(100)[0] == b"hairpinned"
    assert packets(beside, "mangle", "FORWARD") == 1, (
        "between the passes our bit is set, all others as they came"
    )
    assert packets(beside, "nat", "POSTROUTING") == 1, "after them it is cleared"
