"""Super-packets in a queue: how they come up, and what checksum a changed one must carry.

A payload verdict marks a packet as having its checksum done. Segmentation by the kernel comes after that. For
TCP it computes every segment's checksum from nothing. For UDP it takes the checksum field for the
pseudo-header's sum, and loses the packet altogether once connection tracking has verified it. The way out for
UDP is to send the packet on, unchanged, to a queue without F_GSO.
"""

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest
from support.nfqueue import ACCEPT, F_GSO, QUEUE_TO, SKB_CSUM_NOT_READY, SKB_GSO, KernelQueue, Packet
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, SERVER, Path
from support.wire import TCP, UDP, Seen, Wire, checksum_is_right, with_source

pytestmark = pytest.mark.root

SEGMENT = 1000
DATA = bytes(n * 7 + n // SEGMENT * 13 & 255 for n in range(8 * SEGMENT + 500))
SEGMENTS = 9
SEGMENTING_QUEUE = QUEUE + 1
END = b"the end"

EVERYWHERE = list(itertools.product(("arriving", "leaving"), ("untracked", "tracked"), ("tx on", "tx off")))
everywhere = pytest.mark.parametrize(("where", "tracking", "offload"), EVERYWHERE)


def _divert(path: Path, where: str, tracking: str, offload: str = "tx off") -> None:
    path.divert_on_arrival() if where == "arriving" else path.divert_outbound()
    if tracking == "tracked":
        path.iptables(
            "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
            "-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
        )
    # Without offload the router segments and sums by itself, so a wrong sum really shows on the wire.
    path.router.run("ethtool", "-K", "wan0", "tx", offload.split()[1])


def _one(queue: KernelQueue) -> Packet:
    packet = queue.receive()
    assert packet is not None
    return packet


def _new_source(where: str) -> str:
    """Another source, so that the packet must change; on arrival one that is routed back the same way."""
    return "192.168.1.77" if where == "arriving" else EXTERNAL


def _end_of_udp(seen: Seen) -> bool:
    return seen.protocol == UDP and seen.packet.endswith(END)


def _wire_after_udp_super_packet(path: Path, where: str, checksum: str) -> list[Seen]:
    """Send one UDP super-packet, changed with that kind of checksum; return its segments on the wire."""
    with (
        path.sender(SEGMENT) as sender,
        Wire(path.server, "s0") as wire,
        KernelQueue(path.router, QUEUE).open(flags=F_GSO) as queue,
    ):
        sender.send(DATA)
        packet = _one(queue)
        assert packet.skb_info & SKB_GSO
        queue.decide(packet, ACCEPT, with_source(packet.payload, _new_source(where), checksum))
        sender.send(END)
        packet = _one(queue)
        queue.decide(packet, ACCEPT, with_source(packet.payload, _new_source(where)))
        return [seen for seen in wire.until(_end_of_udp)[:-1] if seen.protocol == UDP]


@pytest.mark.parametrize("where", ["arriving", "leaving"])
def test_with_the_gso_flag_packets_larger_than_the_mtu_come_up_whole(path: Path, where: str) -> None:
    _divert(path, where, "untracked")
    with path.sender(SEGMENT) as sender, KernelQueue(path.router, QUEUE).open(flags=F_GSO) as queue:
        sender.send(DATA)
        packet = _one(queue)
        assert len(packet.payload) == 28 + len(DATA)
        assert packet.skb_info == SKB_GSO | SKB_CSUM_NOT_READY
        assert not checksum_is_right(packet.payload)


@pytest.mark.parametrize("where", ["arriving", "leaving"])
def test_without_the_gso_flag_segments_come_up_with_their_checksums(path: Path, where: str) -> None:
    _divert(path, where, "untracked")
    with path.sender(SEGMENT) as sender, KernelQueue(path.router, QUEUE).open() as queue:
        sender.send(DATA)
        packets = [_one(queue) for _ in range(SEGMENTS)]
        assert b"".join(packet.payload[28:] for packet in packets) == DATA
        assert all(checksum_is_right(packet.payload) for packet in packets)
        assert not any(packet.skb_info & (SKB_GSO | SKB_CSUM_NOT_READY) for packet in packets)


def test_a_packet_from_a_local_stack_comes_up_with_its_checksum_not_ready(path: Path) -> None:
    _divert(path, "leaving", "untracked")
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open(flags=F_GSO) as queue:
        sender.send(b"small")
        packet = _one(queue)
        assert packet.skb_info == SKB_CSUM_NOT_READY
        assert not checksum_is_right(packet.payload)


def test_a_changed_packet_comes_up_in_the_next_queue_with_its_checksum_done(path: Path) -> None:
    _divert(path, "arriving", "untracked")
    path.divert_outbound(SEGMENTING_QUEUE)
    with (
        path.sender() as sender,
        KernelQueue(path.router, QUEUE).open(flags=F_GSO) as first,
        KernelQueue(path.router, SEGMENTING_QUEUE).open(flags=F_GSO) as second,
    ):
        sender.send(b"twice")
        packet = _one(first)
        first.decide(packet, ACCEPT, with_source(packet.payload, _new_source("arriving")))
        again = _one(second)
        assert not again.skb_info & SKB_CSUM_NOT_READY
        assert checksum_is_right(again.payload)


@everywhere
def test_a_small_packet_needs_the_full_checksum(path: Path, where: str, tracking: str, offload: str) -> None:
    _divert(path, where, tracking, offload)
    with (
        path.sender() as sender,
        path.receiver() as receiver,
        KernelQueue(path.router, QUEUE).open(flags=F_GSO) as queue,
    ):
        sender.send(END)
        packet = _one(queue)
        queue.decide(packet, ACCEPT, with_source(packet.payload, _new_source(where)))
        assert receiver.recvfrom(100) == (END, (_new_source(where), sender.getsockname()[1]))


@everywhere
def test_a_tcp_super_packet_is_right_with_the_full_checksum(
    path: Path, where: str, tracking: str, offload: str
) -> None:
    _divert(path, where, tracking, offload)
    path.server.ip(f"route add 192.168.1.0/24 via {EXTERNAL}")
    data = DATA * 30
    with Wire(path.server, "s0") as wire, KernelQueue(path.router, QUEUE).open(flags=F_GSO) as queue:
        received = _Download(path, len(data))
        largest = 0
        for packet in received.packets_while(queue, data):
            largest = max(largest, len(packet.payload))
            queue.decide(packet, ACCEPT, with_source(packet.payload, CLIENT))
        assert received.data == data
        assert largest > 1500
        sent = 0
        while sent < len(data):
            seen = wire.next()
            if seen.protocol == TCP:
                assert checksum_is_right(seen.packet) or not seen.checksum_ready
                assert len(seen.packet) <= 1500 or offload == "tx on"
                sent += len(seen.packet) - 20 - (seen.packet[20 + 12] >> 4) * 4


def test_conntrack_calls_an_arriving_tcp_super_packet_with_the_pseudo_header_sum_invalid(path: Path) -> None:
    _divert(path, "arriving", "tracked")
    path.server.ip(f"route add 192.168.1.0/24 via {EXTERNAL}")
    with KernelQueue(path.router, QUEUE).open(flags=F_GSO) as queue:
        received = _Download(path, len(DATA))
        for packet in received.packets_while(queue, DATA):
            kind = "pseudo" if packet.skb_info & SKB_GSO else "full"
            queue.decide(packet, ACCEPT, with_source(packet.payload, CLIENT, kind))
            if kind == "pseudo":
                break
        listed = path.router.run("iptables", "-vnxL", "FORWARD").splitlines()
        dropped = next(line.split()[0] for line in listed if "INVALID" in line)
        assert int(dropped) >= 1


@pytest.mark.parametrize("tracking", ["untracked", "tracked"])
@pytest.mark.parametrize("offload", ["tx on", "tx off"])
def test_a_leaving_udp_super_packet_is_right_with_the_pseudo_header_sum_alone(
    path: Path, tracking: str, offload: str
) -> None:
    _divert(path, "leaving", tracking, offload)
    right = _wire_after_udp_super_packet(path, "leaving", "pseudo")
    assert [checksum_is_right(seen.packet) for seen in right] == [True] * SEGMENTS
    assert b"".join(seen.packet[28:] for seen in right) == DATA
    for kind in ("full", "zero"):
        wrong = _wire_after_udp_super_packet(path, "leaving", kind)
        assert [checksum_is_right(seen.packet) for seen in wrong] == [False] * SEGMENTS


def test_an_arriving_udp_super_packet_that_is_tracked_is_lost_whatever_its_checksum(path: Path) -> None:
    _divert(path, "arriving", "tracked")
    path.iptables("-I FORWARD -j ACCEPT")
    assert _wire_after_udp_super_packet(path, "arriving", "full") == []
    assert _wire_after_udp_super_packet(path, "arriving", "pseudo") == []


@everywhere
def test_a_udp_super_packet_sent_on_to_a_queue_without_gso_comes_up_there_in_segments(
    path: Path, where: str, tracking: str, offload: str
) -> None:
    _divert(path, where, tracking, offload)
    with (
        path.sender(SEGMENT) as sender,
        path.receiver() as receiver,
        KernelQueue(path.router, QUEUE).open(flags=F_GSO) as whole,
        KernelQueue(path.router, SEGMENTING_QUEUE).open() as segmenting,
    ):
        sender.send(DATA)
        whole.decide(_one(whole), QUEUE_TO | SEGMENTING_QUEUE << 16)
        for _ in range(SEGMENTS):
            packet = _one(segmenting)
            assert len(packet.payload) <= 28 + SEGMENT
            segmenting.decide(packet, ACCEPT, with_source(packet.payload, _new_source(where)))
        assert b"".join(receiver.recv(2000) for _ in range(SEGMENTS)) == DATA


def _listener() -> socket.socket:
    return socket.create_server((SERVER, PORT))


class _Download:
    """One TCP transfer from the client to the server, in threads of its own."""

    def __init__(self, path: Path, length: int) -> None:
        self.data = b""
        self._length = length
        self._listener: socket.socket = path.server.call(_listener)
        self._client: socket.socket = path.client.call(socket.socket)
        self._done = threading.Event()

    def packets_while(self, queue: KernelQueue, data: bytes) -> Iterator[Packet]:
        """Send `data`; give out what comes into the queue until the server has all of it."""
        threads = [threading.Thread(target=self._receive), threading.Thread(target=self._send, args=(data,))]
        for thread in threads:
            thread.start()
        try:
            while not self._done.is_set():
                packet = queue.receive(timeout=0.1)
                if packet is not None:
                    yield packet
        finally:
            self._listener.close()
            self._client.close()
            for thread in threads:
                thread.join(10)

    def _send(self, data: bytes) -> None:
        try:
            self._client.connect((SERVER, PORT))
            self._client.sendall(data)
        except OSError:
            self._done.set()

    def _receive(self) -> None:
        try:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(10)
                while len(self.data) < self._length:
                    self.data += connection.recv(1 << 16)
        except OSError:
            pass
        self._done.set()
