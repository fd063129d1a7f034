"""SUN RPC's port mapper (RFC 1833, versions 2 to 4): a server inside says at which ports its programs wait.

A call has a number that the reply repeats (RFC 5531). Version 2 writes a port in 32 bits. Versions 3 and 4
write a universal address as text: "192.168.1.10.127.253", the last two numbers are the port. Over TCP, four
bytes before each record say how long it is. 111/udp and tcp.

Rewritten, where a forward leads to the server: the endpoint in replies to GETPORT, GETADDR, GETVERSADDR,
GETADDRLIST, DUMP, CALLIT and INDIRECT. The server's external address in a call becomes the internal one. The
caller's host may open each endpoint once. A server outside needs no helper. Not rewritten: programs at ports
below 1024 (give mountd and statd fixed ports from 1024 on), IPv6, and records in several fragments. What
other programs say stays, too.
"""

from nfmasq.helpers.kit.base import Dialogue, Session, Side
from nfmasq.helpers.protocols.portmap.dialogue import PortmapDialogue, mark

__all__ = ["HELPER", "Portmap"]


class Portmap:
    """The helper. It has no options."""

    name = "portmap"
    transport = ("udp", "tcp")
    ports: tuple[int, ...] = (111,)
    enabled_by_default = False
    about = "SUN RPC's port mapper inside: the ports of programs, such as NFS"
    longest_message = 65536

    examples_from_outside = (
        (
            Side.OUTSIDE,
            bytes.fromhex("00000001 00000000 00000002 000186a0 00000002 00000003")
            + bytes(16)
            + bytes.fromhex("000186b8 00000001 00000006 00000000"),
        ),
        (Side.INSIDE, bytes.fromhex("00000001 00000001 00000000 00000000 00000000 00000000 00007ffd")),
        (
            Side.OUTSIDE,
            bytes.fromhex("00000002 00000000 00000002 000186a0 00000004 00000003")
            + bytes(16)
            + bytes.fromhex("000186b8 00000001 00000003 75647000 00000011")
            + b"203.0.113.2.0.111\0\0\0"
            + b"\0\0\0\0",
        ),
        (
            Side.INSIDE,
            bytes.fromhex("00000002 00000001 00000000 00000000 00000000 00000000 00000014")
            + b"192.168.1.10.127.253",
        ),
    )

    @staticmethod
    def framed(message: bytes) -> bytes:
        """A message as TCP carries it."""
        return mark(len(message)) + message

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a caller and a server."""
        return PortmapDialogue(session)


HELPER = Portmap
