"""UDP with GSO: super-packets of many datagrams, as QUIC and WireGuard send them, up and down.

One socket sends SIZE bytes at a time (UDP_SEGMENT), as fast as it can. Arriving bytes are counted where the
cable ends, and thrown away. Cables carry super-packets whole, so the router gets them whole too. Where the
router wants single datagrams, the kernel cuts the super-packets up. The rate is that of whole frames, in bits
a second.

Down, the client sends first: a translator lets in only what a host behind it has asked for.
"""

import errno
import socket
import sys
import time

from nfmasq.bench.bed import RECEIVED_BYTES, SERVER, Bed
from nfmasq.bench.datagrams import WARM_UP_S, discarding
from nfmasq.bench.programs import running
from nfmasq.bench.reading import BenchError, Figure, Reading

UP = Figure("udp-gso-up", "UDP with GSO, up", "Gbit/s", 1e9)
DOWN = Figure("udp-gso-down", "UDP with GSO, down", "Gbit/s", 1e9)

SEGMENT = 1400
SIZE = 46 * SEGMENT
PORT = 7001

_UDP_SEGMENT = 103  # linux/udp.h
_MODULE = "nfmasq.bench.segments"


def take_up(bed: Bed, seconds: float) -> Reading:
    """The client sends."""
    with discarding(bed, bed.server, "--dport", PORT), running(bed.client, _MODULE, "up"):
        return _counted(bed, UP, seconds)


def take_down(bed: Bed, seconds: float) -> Reading:
    """The server sends, to whom it hears from."""
    with (
        discarding(bed, bed.client, "--sport", PORT),
        running(bed.server, _MODULE, "down"),
        running(bed.client, _MODULE, "ask"),
    ):
        return _counted(bed, DOWN, seconds)


def _counted(bed: Bed, figure: Figure, seconds: float) -> Reading:
    """Count the bytes at the far end."""
    inwards = figure is DOWN
    time.sleep(WARM_UP_S)
    arrived, seen_at = bed.arrived(RECEIVED_BYTES, inwards=inwards)
    time.sleep(seconds)
    arrived_then, seen_then = bed.arrived(RECEIVED_BYTES, inwards=inwards)
    if arrived == arrived_then:
        raise BenchError("no datagram arrived")
    return Reading({figure.name: 8 * (arrived_then - arrived) / (seen_then - seen_at)})


def main() -> None:
    """`segments up|down|ask`, until killed."""
    what = sys.argv[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if what == "down":
            sock.bind(("", PORT))
            print("ready", flush=True)
            sock.connect(sock.recvfrom(64)[1])
        else:
            sock.connect((str(SERVER), PORT))
            sock.send(b"hello")
            print("ready", flush=True)
        if what == "ask":
            sys.stdin.read()
        _flood(sock)


def _flood(sock: socket.socket) -> None:
    """Send for ever. What the router cannot take is lost and not waited for."""
    sock.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, SEGMENT)
    data = bytes(SIZE)
    while True:
        try:
            sock.send(data)
        except OSError as error:
            if error.errno not in {errno.ENOBUFS, errno.ECONNREFUSED}:
                raise


if __name__ == "__main__":
    main()
