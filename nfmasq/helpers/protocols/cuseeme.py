"""CU-SeeMe: video conferences, whose every datagram begins with the addresses of both ends.

A datagram begins with 26 bytes in network order. They are family, port and address of its receiver, the same
of its sender, and more. One of type 101 (OpenContinue) has a list from byte 56 on. Its entries of 12 bytes
each begin with the address of a participant. A reflector passes all of it on.

Rewritten: what the inside writes of itself, as sender and in the list. From outside it is what is written of
us, as receiver and in the list. A port is rewritten only if it is the session's own. A zero address stays,
and so does any other participant's. Nothing is expected: everything goes by the session that carries it. The
number of entries is not used: sources differ in its byte order.

Source: the structures of Linux 2.2 and of FreeBSD's libalias; the latter lets its compiler pad them.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Mentioned, Named, Place, Reading, Session, Side
from nfmasq.helpers.kit.numbers import address

HEAD = 26
RECEIVER, SENDER = 2, 10
"""Where an end's port stands; its address is behind it."""
TYPE_AT, OPEN_CONTINUE = 22, 101
ENTRIES, ENTRY = 56, 12
MOST_PARTICIPANTS = 100
"""Of one datagram; a conference has eight participants in sight."""


class Cuseeme:
    """The helper. It has no options."""

    name = "cuseeme"
    transport = "udp"
    ports: tuple[int, ...] = (7648,)
    enabled_by_default = False
    about = "CU-SeeMe video conferences: the addresses in each datagram"

    examples = (
        (
            Side.INSIDE,
            b"\0\2\x1d\xe0\xcb\0\x71\x0a" b"\0\2\x9c\x40\xc0\xa8\1\x0a" b"\0\0\0\1\0\0\0\x65\0\x44"
            b"\0\1\0\0\0\7" b"\3ann" + bytes(20) + b"\xc0\xa8\1\x0a" + bytes(8),
        ),
        (
            Side.OUTSIDE,
            b"\0\2\x9c\x40\xcb\0\x71\2" b"\0\2\x1d\xe0\xcb\0\x71\x0a" b"\0\0\0\1\0\0\0\x65\0\x44"
            b"\0\1\0\0\0\7" b"\3bob" + bytes(20) + b"\xcb\0\x71\2" + bytes(8),
        ),
    )  # fmt: skip

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a participant."""
        return CuseemeDialogue()


class CuseemeDialogue:
    """One participant and its reflector, or two participants. Stored: nothing."""

    def read(self, side: Side, data: bytes) -> Reading:
        """The addresses of the inside's own."""
        return Reading(len(data), list(_places(side, data)) if len(data) >= HEAD else ())


def _places(side: Side, data: bytes) -> Iterator[Place]:
    at = SENDER if side is Side.INSIDE else RECEIVER
    port, own = int.from_bytes(data[at : at + 2]), address(data[at + 2 : at + 6])
    if side is Side.INSIDE:
        yield Named(at, at + 2, own, _write_port, port=port)
    else:
        yield Mentioned(at, at + 2, port, _write_port, own)
    yield _alone(side, at + 2, own)
    if int.from_bytes(data[TYPE_AT : TYPE_AT + 2]) == OPEN_CONTINUE:
        last = min(len(data) - ENTRY, ENTRIES + (MOST_PARTICIPANTS - 1) * ENTRY)
        for entry in range(ENTRIES, last + 1, ENTRY):
            yield _alone(side, entry, address(data[entry : entry + 4]))


def _alone(side: Side, at: int, own: IPv4Address) -> Place:
    if side is Side.INSIDE:
        return Named(at, at + 4, own, _write_address)
    return Mentioned(at, at + 4, 0, _write_address, own)


def _write_port(_address: IPv4Address, port: int) -> bytes:
    return port.to_bytes(2)


def _write_address(own: IPv4Address, _port: int) -> bytes:
    return own.packed


HELPER = Cuseeme
