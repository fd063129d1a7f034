"""Round trip: one small UDP datagram to the server and back, the next when it has come; nothing else moves.

The client takes the time, from before the send to after the receive. So the time holds the cost of two Python
programs and two cables, the same for every variant. The same programs prove that a variant does what its name
says: the server sends the client the address it sees.
"""

import json
import math
import socket
import struct
import sys
import time
from collections.abc import Sequence
from ipaddress import IPv4Address

from nfmasq.bench.bed import CLIENT, SERVER, Bed
from nfmasq.bench.programs import answer, running
from nfmasq.bench.reading import BenchError, Figure, Reading
from nfmasq.lab.namespace import Namespace

MEDIAN = Figure("round-trip", "round trip, median", "µs", 1e-6, more_is_better=False)
P99 = Figure("round-trip-p99", "round trip, 99 %", "µs", 1e-6, more_is_better=False)
FIGURES = (MEDIAN, P99)

PORT = 7000
WHO = b"who am I?"
_PATIENCE_S = 1
_MOST_LOST = 3


def take(bed: Bed, seconds: float) -> Reading:
    """Exchange datagrams one at a time."""
    with running(bed.server, "nfmasq.bench.pingpong", "serve"):
        return asked(bed.client, SERVER, seconds)


def asked(client: Namespace, server: IPv4Address, seconds: float) -> Reading:
    """Exchange datagrams with a server that runs already."""
    said = answer(client, "nfmasq.bench.pingpong", "ask", str(seconds), str(server), patience=seconds)
    if not said["exchanges"]:
        raise BenchError("no datagram came back")
    return Reading(
        {MEDIAN.name: said["median"], P99.name: said["p99"]},
        {"exchanges": said["exchanges"], "lost": said["lost"]},
    )


def prove(bed: Bed) -> None:
    """Raise BenchError unless the server sees the client as this variant should show it."""
    with running(bed.server, "nfmasq.bench.pingpong", "serve"):
        seen = answer(bed.client, "nfmasq.bench.pingpong", "who")["seen"]
    wanted = bed.external if bed.variant.translates else CLIENT
    if seen != str(wanted):
        raise BenchError(f"{bed.variant.title}: the server sees the client as {seen}, not as {wanted}")


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of the ordered values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _serve() -> None:
    """Send everything back; answer the question who."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", PORT))
        print("ready", flush=True)
        while True:
            data, peer = sock.recvfrom(2048)
            sock.sendto(peer[0].encode() if data == WHO else data, peer)


def _connected(server: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # A timeout of the socket's own would cost a poll each time.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _PATIENCE_S, 0))
    sock.connect((server, PORT))
    return sock


def _who() -> dict[str, object]:
    with _connected(str(SERVER)) as sock:
        for _ in range(_MOST_LOST):
            sock.send(WHO)
            try:
                return {"seen": str(IPv4Address(sock.recv(64).decode()))}
            except BlockingIOError:
                continue
    return {"seen": "no address: nothing came back"}


def _ask(seconds: float, server: str) -> dict[str, object]:
    times: list[int] = []
    lost = 0
    with _connected(server) as sock:
        clock, data = time.perf_counter_ns, bytes(64)
        end = time.monotonic() + seconds
        while time.monotonic() < end and lost < _MOST_LOST:
            begin = clock()
            sock.send(data)
            try:
                sock.recv(64)
            except BlockingIOError:
                lost += 1
            else:
                times.append(clock() - begin)
    times.sort()
    answer: dict[str, object] = {"exchanges": len(times), "lost": lost}
    if times:
        answer |= {"median": percentile(times, 0.5) / 1e9, "p99": percentile(times, 0.99) / 1e9}
    return answer


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve()
    else:
        said = _who() if sys.argv[1] == "who" else _ask(float(sys.argv[2]), sys.argv[3])
        print(json.dumps(said), flush=True)
