"""TFTP (RFC 1350, 2347): a server answers a request from another port than the one that was asked.

A request is a datagram with an operation (1: read, 2: write), a file's name, a mode, and options. Each text
has a NUL at its end. The answer comes to the port that asked, from a port that the server chose, and
the transfer goes on between the two ports. The datagram says none of it: what is expected is written nowhere,
and nothing is rewritten. Each request is answered once. A client may ask again from the same port.

A client outside that asks a forwarded server needs no helper: the answer begins a session of the server.
"""

import re

from nfmasq.helpers.kit.base import Dialogue, Found, Reading, Session, Side

LONGEST = 512
"""Bytes of a request, its options included (RFC 2347)."""

_TEXT = rb"[^\0]+\0"
_REQUEST = re.compile(rb"\0[\1\2]" + _TEXT + rb"(?:netascii|octet|mail)\0(?:" + _TEXT + _TEXT + rb")*", re.I)
"""The mode tells a request from other bytes that begin so, such as STUN's."""


class Tftp:
    """The helper. It has no options."""

    name = "tftp"
    transport = "udp"
    ports: tuple[int, ...] = (69,)
    enabled_by_default = False
    about = "Trivial File Transfer Protocol: the answer that comes from another port"

    examples = (
        (Side.INSIDE, b"\0\1boot/pxelinux.0\0octet\0"),
        (Side.INSIDE, b"\0\2config\0NetASCII\0blksize\x001428\0tsize\0000\0"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for the requests of one port."""
        return TftpDialogue(session)


class TftpDialogue:
    """The requests from one port of a client to one server. Stored: nothing but the port."""

    def __init__(self, session: Session) -> None:
        self._port = session.internal[1]
        self._inside_began = session.inside_began

    def read(self, side: Side, data: bytes) -> Reading:
        """The answer that a request of the inside asks for."""
        is_request = side is Side.INSIDE and len(data) <= LONGEST and _REQUEST.fullmatch(data)
        if not is_request or not self._inside_began:
            return Reading(len(data))
        return Reading(len(data), [Found(0, 0, None, self._port, None, "udp")])


HELPER = Tftp
