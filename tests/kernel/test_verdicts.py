"""How packets in a queue are answered."""

import errno
import socket

import pytest
from support.nfqueue import ACCEPT, DROP, KernelQueue, Packet, statistics, verdict
from support.path import EXTERNAL, QUEUE, Path
from support.wire import with_source

pytestmark = pytest.mark.root


def test_verdicts_can_be_concatenated_in_one_send(path: Path) -> None:
    path.divert_outbound()
    with (
        path.sender() as sender,
        path.receiver() as receiver,
        KernelQueue(path.router, QUEUE).open() as queue,
    ):
        for number in range(40):
            sender.send(b"%d" % number)
        batch = b"".join(
            verdict(QUEUE, packet.id, ACCEPT, with_source(packet.payload, EXTERNAL))
            for packet in _received(queue, 40)
        )
        queue.socket.send(batch)
        arrived = [receiver.recvfrom(100) for _ in range(40)]
        assert [data for data, _ in arrived] == [b"%d" % number for number in range(40)]
        assert {source[0] for _, source in arrived} == {EXTERNAL}


def test_each_message_of_a_batch_has_an_answer_of_its_own(path: Path) -> None:
    path.divert_outbound()
    with (
        path.sender() as sender,
        path.receiver() as receiver,
        KernelQueue(path.router, QUEUE).open() as queue,
    ):
        sender.send(b"known")
        (packet,) = _received(queue, 1)
        queue.socket.send(verdict(QUEUE, 12345, ACCEPT) + verdict(QUEUE, packet.id, ACCEPT, ack=True))
        with pytest.raises(OSError) as unknown:
            queue.answer()
        assert unknown.value.errno == errno.ENOENT
        queue.answer()
        assert receiver.recv(100) == b"known"


def test_a_send_past_the_send_buffer_gives_emsgsize_and_takes_no_verdict(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        queue.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        room = queue.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        count = room // 1000 + 1
        for _ in range(count):
            sender.send(b"x" * 1000)
        batch = b"".join(verdict(QUEUE, each.id, ACCEPT, each.payload) for each in _received(queue, count))
        with pytest.raises(OSError) as refused:
            queue.socket.send(batch)
        assert refused.value.errno == errno.EMSGSIZE
        assert _waiting(path) == count


def test_a_verdict_for_an_unknown_packet_gives_enoent(path: Path) -> None:
    with KernelQueue(path.router, QUEUE).open() as queue, pytest.raises(OSError) as unknown:
        queue.decide(12345, ACCEPT)
    assert unknown.value.errno == errno.ENOENT


def test_a_second_verdict_for_a_packet_gives_enoent(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        sender.send(b"once")
        (packet,) = _received(queue, 1)
        queue.decide(packet, DROP)
        with pytest.raises(OSError) as unknown:
            queue.decide(packet, ACCEPT)
        assert unknown.value.errno == errno.ENOENT


def test_a_packet_without_a_verdict_keeps_its_slot(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        for _ in range(3):
            sender.send(b"x")
        first, _second, third = _received(queue, 3)
        queue.decide(first, DROP)
        queue.decide(third, DROP)
        assert _waiting(path) == 1


def test_packet_ids_of_a_queue_follow_each_other(path: Path) -> None:
    path.divert_outbound()
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        for _ in range(5):
            sender.send(b"x")
        assert [packet.id for packet in _received(queue, 5)] == [1, 2, 3, 4, 5]


def _received(queue: KernelQueue, count: int) -> list[Packet]:
    packets = [queue.receive() for _ in range(count)]
    assert None not in packets
    return [packet for packet in packets if packet is not None]


def _waiting(path: Path) -> int:
    counted = statistics(path.router, QUEUE)
    assert counted is not None
    return counted["waiting"]
