"""Small packets: 64-byte UDP datagrams, outbound, faster than the router can forward them.

The senders hand complete frames to the client's cable, many a system call: that costs less than UDP sockets,
and none of it falls on the router's program. The packets are counted where the server's cable ends, over a
window in which the senders never pause, and thrown away there. The rate is that of the packets the router
delivers when it is offered too many. Where it delivers all packets, the senders set the pace and the router
could do more: `extra` holds the rate offered. The packets are of few flows or of many. The few are between
one client and one server, and the kernel picks among several queues by the addresses: this is the rate of one
queue. The many go to several addresses of the server, so by many queues, and come in no order, so that caches
help little.

The second figure is the processor time, its work in the kernel included, that the router's program took for
each packet delivered. It does not depend on who set the pace, and little on what else the machine does.
"""

import ctypes
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from nfmasq.bench.bed import SERVER, Bed
from nfmasq.bench.family import fork_each
from nfmasq.bench.programs import running
from nfmasq.bench.reading import BenchError, Figure, Reading
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import Endpoint, udp
from nfmasq.lab.wire import hardware_address

FLOWS = 64
MANY_FLOWS = 16_384

RATE = Figure("small-packets", "small packets", "kpps", 1e3)
TIME = Figure("small-packet-time", "router's time for one", "ns", 1e-9, more_is_better=False)
FIGURES = (RATE, TIME)
MANY_RATE = Figure("small-packets-many", f"small packets, {MANY_FLOWS} flows", "kpps", 1e3)
MANY_TIME = Figure(
    "small-packet-many-time", "router's time for one of many", "ns", 1e-9, more_is_better=False
)
MANY_FIGURES = (MANY_RATE, MANY_TIME)

ADDRESSES = tuple(SERVER + number for number in range(1, 17))
"""Of the server, for the many flows."""
PAYLOAD = 64
FIRST_PORT, DISCARD = 20000, 9
WARM_UP_S = 0.3

_FRAMES = 1024
_ETH_P_IP = 0x0800
_SOL_PACKET, _PACKET_QDISC_BYPASS = 263, 20


def take(bed: Bed, seconds: float) -> Reading:
    """Let the senders run with few flows."""
    return _take(FLOWS, FIGURES, bed, seconds)


def take_many(bed: Bed, seconds: float) -> Reading:
    """Let them run with many."""
    bed.server.ip(*(f"address replace {address}/24 dev eth0" for address in ADDRESSES))
    return _take(MANY_FLOWS, MANY_FIGURES, bed, seconds)


@contextmanager
def discarding(bed: Bed, where: Namespace, side: str, port: int) -> Iterator[None]:
    """UDP by this port ("--sport" or "--dport") is thrown away there once it has been counted.

    At the end nothing is under way any more.
    """
    discard = ("PREROUTING", "-p", "udp", side, str(port), "-j", "DROP")
    where.run("iptables", "-t", "raw", "-A", *discard)
    try:
        yield
        bed.drain()
    finally:
        where.run("iptables", "-t", "raw", "-D", *discard)


@contextmanager
def flooding(bed: Bed, flows: int) -> Iterator[None]:
    """Meanwhile the senders run; the server throws away what arrives of it."""
    own = hardware_address(bed.client, bed.client_interface)
    way = (bed.client_interface, own.hex(), bed.next_hop().hex(), str(bed.client_address))
    flood = running(bed.client, "nfmasq.bench.datagrams", *way, str(bed.senders), str(flows))
    with discarding(bed, bed.server, "--dport", DISCARD), flood:
        yield


def _take(flows: int, figures: tuple[Figure, Figure], bed: Bed, seconds: float) -> Reading:
    """Let the senders run and count both ends of the way."""
    with flooding(bed, flows):
        time.sleep(WARM_UP_S)
        offered, sent_at = bed.offered()
        used = bed.processor_time()
        delivered, seen_at = bed.arrived()
        time.sleep(seconds)
        offered_then, sent_then = bed.offered()
        delivered_then, seen_then = bed.arrived()
        used_then = bed.processor_time()
    count = delivered_then - delivered
    if not count:
        raise BenchError("no small packet arrived")
    rate, each = figures
    values = {rate.name: count / (seen_then - seen_at)}
    if bed.variant.serves:
        values[each.name] = (used_then - used) / count
    return Reading(values, {"offered": (offered_then - offered) / (sent_then - sent_at)})


class _Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """A struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("pieces", ctypes.POINTER(_Piece)),
        ("piece_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """A struct mmsghdr."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint32))


def _endpoints(flows: int) -> list[tuple[int, Endpoint]]:
    """Source port and target of each flow."""
    if flows == FLOWS:
        return [(FIRST_PORT + flow, (SERVER, DISCARD)) for flow in range(flows)]
    spread = [
        (FIRST_PORT + flow // len(ADDRESSES), (ADDRESSES[flow % len(ADDRESSES)], DISCARD))
        for flow in range(flows)
    ]
    random.shuffle(spread)
    return spread


def main() -> None:
    """`datagrams INTERFACE OWN_MAC ROUTER_MAC ADDRESS SENDERS FLOWS`: flood the interface until killed."""
    interface, own, router, address, senders, flows = sys.argv[1:]
    header = bytes.fromhex(router) + bytes.fromhex(own) + _ETH_P_IP.to_bytes(2)
    source = IPv4Address(address)
    frames = [header + udp((source, port), target, bytes(PAYLOAD)) for port, target in _endpoints(int(flows))]
    buffers = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
    pieces = [_Piece(ctypes.addressof(buffer), len(buffer)) for buffer in buffers]
    batches = [(_Message * _FRAMES)() for _ in range(max(1, len(frames) // _FRAMES))]
    for number in range(len(batches) * _FRAMES):
        message = batches[number // _FRAMES][number % _FRAMES]
        message.header.pieces = ctypes.pointer(pieces[number % len(pieces)])
        message.header.piece_count = 1
    send = ctypes.CDLL(None).sendmmsg

    def flood(_: int) -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
            sock.bind((interface, 0))
            while True:
                for batch in batches:
                    send(sock.fileno(), batch, _FRAMES, 0)

    fork_each(int(senders), flood)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
