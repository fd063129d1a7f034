"""Small packets: 64-byte UDP datagrams of 64 flows, outbound, faster than the router can forward them.

The senders hand complete frames to the client's cable, many a system call: that costs less than UDP sockets,
and none of it falls on the router's program. They are counted where the server's cable ends, over a window
within which the senders never pause, and thrown away there. The rate is what the router delivers when it is
offered too much. Where it delivers all it is offered, the senders set the pace and the router could do more:
`extra` holds what was offered. All flows are between one client and one server, and the kernel picks among
several queues by the addresses: this is the rate of one queue.

The second figure is the processor time, its work in the kernel included, that the router's program took for
each packet delivered. It does not depend on who set the pace, and little on what else the machine does.
"""

import ctypes
import socket
import sys
import time

from nfmasq.bench.bed import CLIENT, SERVER, Bed
from nfmasq.bench.family import fork_each
from nfmasq.bench.packets import datagram
from nfmasq.bench.programs import running
from nfmasq.bench.reading import Figure, Reading
from nfmasq.lab.wire import hardware_address

RATE = Figure("small-packets", "small packets", "kpps", 1e3)
TIME = Figure("small-packet-time", "router's time for one", "ns", 1e-9, more_is_better=False)
FIGURES = (RATE, TIME)

FLOWS = 64
PAYLOAD = 64
FIRST_PORT, DISCARD = 20000, 9
WARM_UP_S = 0.3

_FRAMES = 1024
_ETH_P_IP = 0x0800
_SOL_PACKET, _PACKET_QDISC_BYPASS = 263, 20


def take(bed: Bed, seconds: float) -> Reading:
    """Let the sender run and count both ends of the way."""
    discard = ("PREROUTING", "-p", "udp", "--dport", str(DISCARD), "-j", "DROP")
    bed.server.run("iptables", "-t", "raw", "-A", *discard)
    own, router = hardware_address(bed.client, "eth0"), hardware_address(bed.router, "lan0")
    with running(bed.client, "nfmasq.bench.datagrams", own.hex(), router.hex(), str(bed.senders)):
        time.sleep(WARM_UP_S)
        offered, sent_at = bed.packets(bed.client, "tx")
        used = bed.processor_time()
        delivered, seen_at = bed.packets(bed.server, "rx")
        time.sleep(seconds)
        offered_then, sent_then = bed.packets(bed.client, "tx")
        delivered_then, seen_then = bed.packets(bed.server, "rx")
        used_then = bed.processor_time()
    bed.drain()
    bed.server.run("iptables", "-t", "raw", "-D", *discard)
    count = delivered_then - delivered
    values = {RATE.name: count / (seen_then - seen_at)}
    if bed.variant.program and count:
        values[TIME.name] = (used_then - used) / count
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


def main() -> None:
    """`datagrams OWN_MAC ROUTER_MAC SENDERS`: flood eth0 until killed."""
    header = bytes.fromhex(sys.argv[2]) + bytes.fromhex(sys.argv[1]) + _ETH_P_IP.to_bytes(2)
    flows = [
        header + datagram((CLIENT, FIRST_PORT + flow), (SERVER, DISCARD), PAYLOAD) for flow in range(FLOWS)
    ]
    buffers = [ctypes.create_string_buffer(frame, len(frame)) for frame in flows]
    pieces = [_Piece(ctypes.addressof(buffer), len(buffer)) for buffer in buffers]
    messages = (_Message * _FRAMES)()
    for number, message in enumerate(messages):
        message.header.pieces = ctypes.pointer(pieces[number % FLOWS])
        message.header.piece_count = 1
    send = ctypes.CDLL(None).sendmmsg

    def flood(_: int) -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
            sock.bind(("eth0", 0))
            while True:
                send(sock.fileno(), messages, _FRAMES, 0)

    fork_each(int(sys.argv[3]), flood)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
