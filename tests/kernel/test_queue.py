"""How a netfilter queue is taken, and what becomes of packets when no program serves it."""

import errno
import signal
import socket
import sys
import time

import pytest
from support.nfqueue import ACCEPT, DROP, F_FAIL_OPEN, KernelQueue, statistics
from support.path import CLIENT, PORT, QUEUE, Path

pytestmark = pytest.mark.root

# A queue program of one line, by a library that is not ours.
ACCEPT_ALL = f"""
from netfilterqueue import NetfilterQueue
queue = NetfilterQueue()
queue.bind({QUEUE}, lambda packet: packet.accept())
print("bound", flush=True)
queue.run()
"""


def test_between_bind_and_params_the_queue_drops(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE) as queue:
        queue.bind()
        sender.send(b"too early")
        queue.set_params(65535)
        sender.send(b"in time")
        first = queue.receive()
        assert first is not None
        assert first.payload.endswith(b"in time")


def test_a_second_binder_gets_eperm_and_the_first_goes_on(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as first:
        with KernelQueue(path.router, QUEUE) as second, pytest.raises(OSError) as refused:
            second.bind()
        assert refused.value.errno == errno.EPERM
        sender.send(b"still mine")
        assert first.receive() is not None


def test_a_truncated_packet_carries_its_true_length(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open(copy=64) as queue:
        sender.send(b"x" * 500)
        packet = queue.receive()
        assert packet is not None
        assert (len(packet.payload), packet.cap_len) == (64, 528)


def test_a_whole_packet_carries_no_cap_len(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        sender.send(b"x" * 500)
        packet = queue.receive()
        assert packet is not None
        assert (len(packet.payload), packet.cap_len) == (528, None)


def test_a_full_queue_drops_and_counts(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open(length=4):
        for _ in range(10):
            sender.send(b"x")
        deadline = time.monotonic() + 5
        while (counted := statistics(path.router, QUEUE)) and counted["dropped"] < 6:
            assert time.monotonic() < deadline
        assert counted is not None
        assert (counted["waiting"], counted["dropped"]) == (4, 6)


def test_a_full_queue_that_fails_open_lets_internal_addresses_out(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, path.receiver() as receiver:
        with KernelQueue(path.router, QUEUE).open(length=1, flags=F_FAIL_OPEN):
            sender.send(b"queued")
            sender.send(b"leaked")
            data, (source, _) = receiver.recvfrom(100)
        assert (data, source) == (b"leaked", CLIENT)


def test_an_overflown_socket_loses_packets_which_shows_in_the_ids_and_the_queue_goes_on(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        queue.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(50):
            sender.send(b"x" * 1000)
        with pytest.raises(OSError) as overflown:
            _drop_everything(queue)
        assert overflown.value.errno == errno.ENOBUFS
        counted = _drop_everything(queue)
        assert counted["waiting"] == 0
        assert counted["lost"] > 0
        queue.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sender.send(b"after")
        packet = queue.receive()
        assert packet is not None
        assert packet.id == 51


def _drop_everything(queue: KernelQueue) -> dict[str, int]:
    """Drop what waits; return the kernel's counts then."""
    while True:
        counted = statistics(queue.namespace, QUEUE)
        assert counted is not None
        if not counted["waiting"]:
            return counted
        packet = queue.receive()
        assert packet is not None
        queue.decide(packet, DROP)


def test_killing_the_owner_of_the_queue_stops_the_traffic(path: Path) -> None:
    path.divert_outbound()
    owner = path.router.popen(sys.executable, "-c", ACCEPT_ALL, stdout=-1)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "bound\n"
    with path.sender() as sender, path.receiver() as receiver, owner:
        sender.send(b"served")
        assert receiver.recv(100) == b"served"
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
        assert statistics(path.router, QUEUE) is None
        sender.send(b"unserved")
        # The rules gone, packets flow again: what arrives first tells that "unserved" did not.
        path.iptables("-t mangle -F")
        sender.send(b"after")
        assert receiver.recv(100) == b"after"


def test_closing_the_queue_drops_what_waits_in_it(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, path.receiver() as receiver:
        with KernelQueue(path.router, QUEUE).open() as queue:
            sender.send(b"waiting")
            assert queue.receive() is not None
        path.iptables("-t mangle -F")
        sender.send(b"after")
        assert receiver.recv(100) == b"after"


def test_an_interface_that_goes_down_takes_its_waiting_packets_along(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        sender.send(b"waiting")
        packet = queue.receive()
        assert packet is not None
        path.router.ip("link set wan0 down")
        with pytest.raises(OSError) as unknown:
            queue.decide(packet, ACCEPT)
        assert unknown.value.errno == errno.ENOENT


def test_a_queue_rule_in_a_user_chain_tells_where_the_packet_came_in_even_in_postrouting(path: Path) -> None:
    path.iptables(
        "-t mangle -N chosen",
        f"-t mangle -A chosen -i lan0 -j NFQUEUE --queue-num {QUEUE}",
        "-t mangle -A POSTROUTING -o wan0 -j chosen",
    )
    with (
        path.sender() as sender,
        path.receiver() as receiver,
        KernelQueue(path.router, QUEUE).open() as queue,
    ):
        own: socket.socket = path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        with own:
            own.sendto(b"the router's own", receiver.getsockname())
        assert receiver.recv(100) == b"the router's own"
        sender.send(b"forwarded")
        packet = queue.receive()
        assert packet is not None
        assert packet.payload.endswith(b"forwarded")
        assert receiver.getsockname()[1] == PORT
