"""Protocols whose programs are gone: what a player says first, and where a server reads the port in it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.lab.namespace import Namespace

PATIENCE_S = 20


class Player(NamedTuple):
    """A protocol over TCP whose client waits for UDP. port: the server's.

    say: what a client says that waits at this port. at: where the port stands there. order: of its bytes.
    """

    helper: str
    port: int
    say: Callable[[int], bytes]
    at: slice
    order: str = "big"

    def port_in(self, text: bytes) -> int:
        """The port that a server reads."""
        return int.from_bytes(text[self.at], self.order)  # type: ignore[arg-type]


def _pna(port: int) -> bytes:
    return b"PNA\0\x0a\0\x14\0\2\0\1\0\1\0\2" + port.to_bytes(2) + b"\0\0/a.ra"


def _vdolive(port: int) -> bytes:
    return b"\0\0\0\x38\0\0\0\6" + bytes(16) + b"VDO Live" + port.to_bytes(4) + bytes(20)


PLAYERS = (Player("pna", 7070, _pna, slice(15, 17)), Player("vdolive", 7000, _vdolive, slice(32, 36)))


def datagrams(host: Namespace, port: int) -> socket.socket:
    """A socket for datagrams, bound on a host."""
    made = host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(PATIENCE_S)
    made.bind(("", port))
    return made


@contextmanager
def connected(
    near: Namespace, near_port: int, to: tuple[IPv4Address, int], listening: socket.socket
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection from a port of a host to a server that listens."""
    calling = near.call(socket.socket)
    calling.settimeout(PATIENCE_S)
    calling.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    calling.bind(("", near_port))
    with closing(calling):
        calling.connect((str(to[0]), to[1]))
        far, _ = listening.accept()
        far.settimeout(PATIENCE_S)
        with closing(far):
            yield calling, far


def whole(far: socket.socket, length: int) -> bytes:
    """So many bytes of a connection."""
    text = b""
    while len(text) < length:
        more = far.recv(length - len(text))
        assert more, text
        text += more
    return text
