"""TCP connections a second: connect, wait for the server to close, close; many clients side by side.

The server closes first, as a web server without keep-alive does. So the wait after the end (TIME-WAIT) is the
server's, and the client's ports are free again immediately. Clients take their ports again and again from a
range smaller than what nfmasq has to hand out, and go round many server addresses: the same port to another
server is another session. So every variant meets new sessions and known internal endpoints mostly, and runs
out of nothing.

A connection counts when the client has seen its end, within the time. Both programs make their system calls
through ctypes: Python's sockets would take a third of all processor time, and blur the differences.
"""

import ctypes
import json
import mmap
import socket
import struct
import sys
import time

from nfmasq.bench.bed import SERVER, Bed
from nfmasq.bench.family import fork_each
from nfmasq.bench.programs import answer, running
from nfmasq.bench.reading import Figure, Reading

RATE = Figure("connections", "TCP connections", "/s")
FIGURES = (RATE,)

PORT = 8000
ADDRESSES = tuple(str(SERVER + number) for number in range(1, 33))
CLIENTS, SERVERS = 16, 2

_BACKLOG = 4096
_ALL_FORKED_S = 0.2
_libc = ctypes.CDLL(None)
_byte = ctypes.create_string_buffer(1)


def take(bed: Bed, seconds: float) -> Reading:
    """Let the clients connect as fast as they can."""
    bed.server.ip(*(f"address replace {address}/24 dev eth0" for address in ADDRESSES))
    with running(bed.server, "nfmasq.bench.connections", "serve"):
        said = answer(bed.client, "nfmasq.bench.connections", "connect", str(seconds), patience=seconds)
    bed.drain()
    return Reading({RATE.name: said["done"] / seconds}, {"failed": said["failed"]})


def _serve() -> None:
    """Accept and close, each process at a socket of its own; until killed."""
    listeners = []
    for _ in range(SERVERS):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("", PORT))
        listener.listen(_BACKLOG)
        listeners.append(listener)

    def accept(number: int) -> None:
        handle = listeners[number].fileno()
        while True:
            _libc.close(_libc.accept(handle, None, None))

    fork_each(SERVERS, accept)
    print("ready", flush=True)
    sys.stdin.read()


def _connect(seconds: float) -> None:
    """Print how many connections were done, and how many failed; those still under way count as neither."""
    counts = memoryview(mmap.mmap(-1, CLIENTS * 16)).cast("Q")
    begin = time.monotonic() + _ALL_FORKED_S
    end = begin + seconds

    def connect(number: int) -> None:
        targets = [_sockaddr(address) for address in ADDRESSES]
        place = number * len(targets) // CLIENTS
        time.sleep(max(0.0, begin - time.monotonic()))
        while True:
            place = (place + 1) % len(targets)
            good = _one(targets[place])
            if time.monotonic() >= end:
                return
            counts[2 * number + (not good)] += 1

    fork_each(CLIENTS, connect)
    time.sleep(end - time.monotonic())
    print(json.dumps({"done": sum(counts[0::2]), "failed": sum(counts[1::2])}), flush=True)


def _sockaddr(address: str) -> bytes:
    """A struct sockaddr_in of this address and PORT."""
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", PORT, socket.inet_aton(address))


def _one(target: bytes) -> bool:
    """One connection from begin to end, to a struct sockaddr_in; did it end as it should?"""
    handle = _libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    good: bool = _libc.connect(handle, target, len(target)) == 0 and _libc.read(handle, _byte, 1) == 0
    _libc.close(handle)
    return good


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve()
    else:
        _connect(float(sys.argv[2]))
