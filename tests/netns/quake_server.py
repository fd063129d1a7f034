"""A server of Quake by script, because the game is not packaged: it answers all that quakestat asks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Address

from netns.scripted import datagrams
from nfmasq.lab.namespace import Namespace

PORT = 26000
CONNECT = b"\x80\0\0\x0c\x01QUAKE\0\3"
OVER = b"over"


def control(code: int, body: bytes = b"") -> bytes:
    """A control message."""
    return b"\x80\0" + (5 + len(body)).to_bytes(2) + bytes([code]) + body


def accept(port: int) -> bytes:
    """What a server answers that goes on at this port."""
    return control(0x81, port.to_bytes(4, "little"))


def accepted(answer: bytes) -> int:
    """The port at which a game goes on."""
    assert answer[:5] == accept(0)[:5]
    return int.from_bytes(answer[5:], "little")


def _answer(asked: bytes, own: IPv4Address) -> bytes:
    if asked[4] == 2:
        return control(0x83, f"{own}:{PORT}".encode() + b"\0the arena\0start\0\1\x08\3")
    if asked[4] == 3:
        return control(0x84, b"\0ann\0" + bytes(4) + b"\5\0\0\0\x3c\0\0\0" + b"local\0")
    return control(0x85, b"" if asked[5:6] != b"\0" else b"sv_gravity\x00800\0")


@contextmanager
def serving(host: Namespace, own: IPv4Address) -> Iterator[list[bytes]]:
    """Answer all questions on a host that has this address; what was asked."""
    heard: list[bytes] = []
    with closing(datagrams(host, PORT)) as made:

        def answer() -> None:
            while True:
                try:
                    asked, source = made.recvfrom(2000)
                except TimeoutError:
                    continue
                if asked == OVER:
                    return
                heard.append(asked)
                made.sendto(_answer(asked, own), source)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield heard
        finally:
            with closing(host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)) as last:
                last.sendto(OVER, (str(own), PORT))
            thread.join()
