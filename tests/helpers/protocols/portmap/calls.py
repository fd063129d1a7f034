"""Calls and replies of the port mapper, and a server inside that answers them."""

import struct
from ipaddress import IPv4Address

from support.router import SERVER

from helpers.protocols.ends import Ends, bed_of
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.protocols.portmap import Portmap

IN, OUT = Side.INSIDE, Side.OUTSIDE
TCP, UDP = 6, 17
NFS, STATUS = 100003, 100024
GETPORT, DUMP, CALLIT, GETVERSADDR, INDIRECT, GETADDRLIST = 3, 4, 5, 9, 10, 11
ANYWHERE = IPv4Address("0.0.0.0")


def words(*numbers: int) -> bytes:
    """Words of 32 bits."""
    return struct.pack(f"!{len(numbers)}I", *numbers)


def text(said: bytes) -> bytes:
    """A text with its length, filled up."""
    return words(len(said)) + said + bytes(-len(said) % 4)


def universal(address: IPv4Address, port: int) -> bytes:
    """An endpoint as text."""
    return text(b"%s.%d.%d" % (str(address).encode(), port >> 8, port & 255))


def call(version: int, procedure: int, *arguments: bytes, number: int = 7, program: int = 100000) -> bytes:
    """A call."""
    return words(number, 0, 2, program, version, procedure, 0, 0, 0, 0) + b"".join(arguments)


def getport(protocol: int, *, number: int = 7, program: int = NFS) -> bytes:
    """Which port has NFS, or another program, over this protocol?"""
    return call(2, GETPORT, words(program, 3, protocol, 0), number=number)


def getaddr(server: IPv4Address, port: int, procedure: int = GETPORT, *, version: int = 4) -> bytes:
    """Where is NFS?"""
    arguments = words(NFS, 3), text(b"tcp"), universal(server, port), text(b"me")
    return call(version, procedure, *arguments)


def reply(*results: bytes, number: int = 7) -> bytes:
    """A reply."""
    return words(number, 1, 0, 0, 0, 0) + b"".join(results)


class Server(Ends):
    """A server inside. say: messages, with TCP's mark where there must be one."""

    def __init__(self, transport: str, far: IPv4Address = SERVER, bed: object = None) -> None:
        super().__init__(bed or bed_of(Portmap(), server_inside=True), transport, far=far)  # type: ignore[arg-type]
        self._is_stream = transport == "tcp"

    def say(self, side: Side, payload: bytes) -> bytes:
        if not self._is_stream:
            return super().say(side, payload)
        heard = super().say(side, Portmap.framed(payload))
        assert int.from_bytes(heard[:4]) == 0x80000000 | len(heard) - 4
        return heard[4:]
