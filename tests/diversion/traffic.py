"""Single packets and small sessions with a purpose."""

import socket
import struct
import time
from collections.abc import Callable

from support.path import EXTERNAL, Path

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import checksum, put, word

POOL_PORT = 20000
OWN_PORT = 40000
ICMP, GRE = 1, 47
ECHO_REQUEST, UNREACHABLE, TIME_EXCEEDED = 8, 3, 11


def eventually(true: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait for a condition; False if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def udp(sender: Namespace, destination: str, port: int, data: bytes = b"x") -> None:
    """One datagram."""
    with sender.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.sendto(data, (destination, port))


def raw(sender: Namespace, protocol: int, data: bytes, destination: str = EXTERNAL) -> None:
    """One packet of any protocol."""
    with sender.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, protocol) as opened:
        opened.sendto(data, (destination, 0))


def icmp(kind: int, body: bytes = b"ping") -> bytes:
    """An ICMP message with its checksum."""
    message = struct.pack("!BBHI", kind, 0, 0, 0) + body
    return put(message, 2, word(checksum(message)))


def exchange_over_tcp(path: Path, address: str, port: int = POOL_PORT) -> None:
    """The server calls a listener of the router: handshake, data, and a close that leaves the router waiting.

    The router closes first, so the last packets meet a connection in TIME_WAIT, which must still be its own.
    """
    with path.router.call(socket.create_server, (address, port)) as listener:
        listener.settimeout(5)
        caller = path.server.call(socket.create_connection, (EXTERNAL, port), 5)
        accepted, _ = listener.accept()
        with caller, accepted:
            accepted.settimeout(5)
            caller.sendall(b"request")
            assert accepted.recv(100) == b"request"
            accepted.shutdown(socket.SHUT_WR)
            assert caller.recv(100) == b""
            caller.shutdown(socket.SHUT_WR)
            assert accepted.recv(100) == b""
