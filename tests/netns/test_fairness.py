"""One who sends more than the router can take, and one who does not.

The daemon is halted while packets come, so that it can take none: what one host's flood does to the kernel's
queues then does not depend on how fast this machine is.
"""

import socket
from ipaddress import IPv4Address

import pytest

from nfmasq.core.queue_socket import QUEUE_LENGTH
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.machine.queues import kernel_queues

LAB = {"config": {"engine": {"workers": 1}}}
SERVERS = tuple(IPv4Address("203.0.113.128") + number for number in range(12))
PORT, DISCARD = 4444, 4445
MODEST_COUNT = 100
UDP_SEGMENT, SEGMENT, TRAINS = 103, 1400, 200


@pytest.fixture(scope="module", autouse=True)
def _many_servers(lab: Lab) -> None:
    """server1 answers for more addresses: by its address a packet gets its queue."""
    lab.topology.server1.ip(*(f"address add {address}/24 dev eth0" for address in SERVERS))


def _socket(where: Namespace, port: int = PORT) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(2)
        sock.bind(("", port))
        return sock

    made: socket.socket = where.call(make)
    return made


def _numbers(daemon: DaemonUnderLab) -> dict[str, int]:
    """What the one worker and the kernel counted."""
    row: dict[str, int] = daemon.api("/v1/status")["queues"][0]
    return row


def _waiting(router: Namespace) -> dict[int, int]:
    """Packets that wait in the queues, by their numbers."""
    return {number: queue.waiting for number, queue in router.call(kernel_queues).items()}


def _queue_of(router: Namespace, sender: socket.socket, server: IPv4Address) -> int:
    """The queue of what this sender sends to this server, by sending something."""
    before = _waiting(router)
    sender.sendto(b"first", (str(server), DISCARD))
    wait_until(lambda: _waiting(router) != before, "the packet to wait in a queue")
    after = _waiting(router)
    return next(number for number in after if after[number] != before[number])


def test_a_flood_takes_the_room_of_its_own_queue_alone(net: Topology, daemon: DaemonUnderLab) -> None:
    before = _numbers(daemon)
    with (
        _socket(net.client1) as greedy,
        _socket(net.client2) as modest,
        _socket(net.server1) as server,
        _socket(net.server1, DISCARD),
    ):
        with daemon.halted():
            flooded = _queue_of(net.router, greedy, SERVERS[0])
            quiet = next(at for at in SERVERS if _queue_of(net.router, modest, at) != flooded)
            for _ in range(QUEUE_LENGTH + MODEST_COUNT):
                greedy.sendto(b"flood", (str(SERVERS[0]), DISCARD))
            wait_until(lambda: _waiting(net.router)[flooded] == QUEUE_LENGTH, "the queue to be full")
            for number in range(MODEST_COUNT):
                modest.sendto(b"%d" % number, (str(quiet), PORT))
        wanted = {b"%d" % number for number in range(MODEST_COUNT)}
        while wanted:
            wanted.discard(server.recv(64))
    after = _numbers(daemon)
    assert after["dropped"] - before["dropped"] >= MODEST_COUNT
    assert after["lost"] == 0, "the numbers of one queue's packets were taken for another's"


def test_super_packets_are_taken_a_few_at_a_time(net: Topology, daemon: DaemonUnderLab) -> None:
    """So that no other packet waits long behind them. The first batch is what the last one made expect."""
    with _socket(net.client1) as sender, _socket(net.server1, DISCARD):
        sender.setsockopt(socket.SOL_UDP, UDP_SEGMENT, SEGMENT)
        before = _numbers(daemon)
        with daemon.halted():
            for _ in range(TRAINS):
                sender.sendto(bytes(SEGMENT * 40), (str(SERVERS[0]), DISCARD))
            wait_until(lambda: sum(_waiting(net.router).values()) == TRAINS, "all of them to wait")
        wait_until(lambda: sum(_waiting(net.router).values()) == 0, "none of them to wait")
    after = _numbers(daemon)
    assert after["packets"] - before["packets"] == TRAINS
    assert after["batches"] - before["batches"] >= TRAINS / 8
