"""Quake: a server answers a request to connect by the port at which the game goes on.

A control message is a datagram: 0x8000, its whole length, 16 bits each in network order, a code, and text or
numbers. Code 0x01 asks to connect, 0x81 accepts and names a port, 32 bits in little-endian order. The game
goes on between that port and the one that asked. Code 0x83 describes the server, and begins with its endpoint
as text, "192.168.1.10:26000", to which old clients connect.

Outwards nothing is written. Any port of the server may send to the port that asked. Between that and the port
in 0x81 either end may speak first. Both hold under every mapping and filtering. Inwards the port in 0x81 and
the server's own endpoint in 0x83 are rewritten. A host name there stays, and so do the players' endpoints in
0x84, which are only shown. QuakeWorld, Quake II and III go on at the port that was asked and need no helper.

Source: Quake's own net_dgrm (id Software), and Linux 2.2.
"""

import re
from functools import partial
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import (
    Admitted,
    Dialogue,
    Found,
    Named,
    NotActedOn,
    Reading,
    Session,
    Side,
    Size,
)
from nfmasq.helpers.kit.numbers import dotted, port_number

LONGEST = 1024
"""Bytes of a control message; the game itself sends 1400 at most."""
_CONNECT = re.compile(rb"\x80\0\0.\x01QUAKE\0.*", re.DOTALL)
"""Behind the name: the protocol's version, and more of newer clients."""
_ACCEPT = re.compile(rb"\x80\0..\x81(..)\0\0.*", re.DOTALL)
_SERVER = re.compile(rb"\x80\0..\x83((\d+\.\d+\.\d+\.\d+):(\d+))\0.*", re.DOTALL)


class Quake:
    """The helper. It has no options."""

    name = "quake"
    transport = "udp"
    ports: tuple[int, ...] = (26000,)
    enabled_by_default = False
    about = "Quake: the port at which a game goes on"

    examples = ((Side.INSIDE, b"\x80\0\0\x0c\x01QUAKE\0\3"), (Side.OUTSIDE, b"\x80\0\0\x09\x81\xb5\x99\0\0"))
    examples_from_outside = (
        (Side.OUTSIDE, b"\x80\0\0\x0c\x02QUAKE\0\3"),
        (Side.INSIDE, b"\x80\0\0\x22\x83" b"192.168.1.10:26000" b"\0" b"pc\0start\0" b"\1"),
        (Side.OUTSIDE, b"\x80\0\0\x0c\x01QUAKE\0\3"),
        (Side.INSIDE, b"\x80\0\0\x09\x81\x90\x65\0\0"),
    )  # fmt: skip

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a player, or for somebody who looks for servers."""
        return QuakeDialogue(session)


class QuakeDialogue:
    """One port of a client, and a server. Stored: the session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, side: Side, data: bytes) -> Reading:
        """What a client or a server inside says, and the port that a server outside accepts at."""
        if len(data) > LONGEST or int.from_bytes(data[2:4]) != len(data):
            return Reading(len(data))
        if self._session.inside_began:
            return self._of_client(data) if side is Side.INSIDE else self._to_client(data)
        return self._of_server(data) if side is Side.INSIDE else Reading(len(data))

    def _of_client(self, data: bytes) -> Reading:
        asks = _CONNECT.fullmatch(data)
        own = Found(0, 0, None, self._session.internal[1], None, "udp")
        return Reading(len(data), [own] if asks else ())

    def _to_client(self, data: bytes) -> Reading:
        accept = _ACCEPT.fullmatch(data)
        if accept is None:
            return Reading(len(data))
        port, server = int.from_bytes(accept[1], "little"), self._session.remote[0]
        return Reading(len(data), admitted=[Admitted("udp", self._session.internal[1], server, port)])

    def _of_server(self, data: bytes) -> Reading:
        """Its answer. Where the game goes on at the port that was asked, it does so in this session."""
        own, own_port = self._session.internal
        if accept := _ACCEPT.fullmatch(data):
            port = int.from_bytes(accept[1], "little")
            start, end = accept.span(1)
            if port == own_port:
                return Reading(len(data), [Named(start, end, own, _write_port, port=port)])
            return Reading(len(data), [Found(start, end, None, port, _write_port, "udp")])
        server = _SERVER.fullmatch(data)
        if server is None:
            return Reading(len(data))
        try:
            named = Named(*server.span(1), dotted(server[2]), _write_text, port=port_number(server[3]))
        except NotActedOn as why:
            return Reading(len(data), not_acted_on=[str(why)])
        return Reading(len(data), [Size(2, 4, 0, len(data), partial(int.to_bytes, length=2)), named])


def _write_port(_address: IPv4Address, port: int) -> bytes:
    return port.to_bytes(2, "little")


def _write_text(own: IPv4Address, port: int) -> bytes:
    return b"%s:%d" % (str(own).encode(), port)


HELPER = Quake
