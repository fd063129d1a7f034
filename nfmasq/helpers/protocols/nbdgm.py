"""NetBIOS datagram service (RFC 1002 section 4.4): each datagram names the endpoint of its sender.

The header has a type, flags, an id, the source's address at byte 4 and its port at byte 8. Fragments of a
long datagram have it too. The length never changes. 138/udp.

Rewritten: address and port of a sender inside, to the external endpoint of the session. The address alone is
rewritten where the datagram comes from another port. Nothing is expected: the session is there already. Not
rewritten: what a datagram carries; browsers announce hosts by name there. Windows and Samba answer to port
138, whatever the header says. So answers come in only where a forward leads 138/udp to the host, and to one
host for each external address.
"""

from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Named, Reading, Session, Side
from nfmasq.helpers.kit.numbers import address

HEADER = 10
"""Bytes that all types have: up to the source's port."""
_TYPES = range(0x10, 0x17)
_ADDRESS, _PORT = 4, 8


class Nbdgm:
    """The helper. It has no options."""

    name = "nbdgm"
    transport = "udp"
    ports: tuple[int, ...] = (138,)
    enabled_by_default = False
    about = "NetBIOS datagram service: the sender's endpoint in each datagram"

    examples = (
        (Side.INSIDE, b"\x11\x0a\0\1" + bytes((192, 168, 1, 10)) + (40000).to_bytes(2) + b"\0\2\0\0hi"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for the datagrams of two hosts."""
        return NbdgmDialogue(session)


class NbdgmDialogue:
    """The datagrams of two hosts. Stored: the port of the one inside."""

    def __init__(self, session: Session) -> None:
        self._port = session.internal[1]

    def read(self, side: Side, data: bytes) -> Reading:
        """The source of a datagram."""
        if side is Side.OUTSIDE or len(data) < HEADER or data[0] not in _TYPES:
            return Reading(len(data))
        source, port = address(data[_ADDRESS:_PORT]), int.from_bytes(data[_PORT:HEADER])
        if port == self._port:
            return Reading(len(data), [Named(_ADDRESS, HEADER, source, _write, port=port)])
        return Reading(len(data), [Named(_ADDRESS, _PORT, source, _write_address)])


def _write_address(address: IPv4Address, _port: int) -> bytes:
    return address.packed


def _write(address: IPv4Address, port: int) -> bytes:
    return address.packed + port.to_bytes(2)


HELPER = Nbdgm
