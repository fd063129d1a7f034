"""A UDP session that a helper reads: each datagram whole, by itself; nothing waits."""

import struct

from nfmasq import _fastpath
from nfmasq.helpers.engine.expectations import Name
from nfmasq.helpers.engine.segment import LONGEST
from nfmasq.helpers.engine.tcp_session import Reader
from nfmasq.helpers.kit.base import Dialogue, Session, Side

HEADER = 8


class Datagrams:
    """number: of the helper. is_over: the dialogue has ended, and with it the helper on this session."""

    __slots__ = ("dialogue", "is_over", "name", "number", "session")

    shifts = told = 0, 0

    def __init__(self, name: Name, number: int, session: Session) -> None:
        self.name = name
        self.number = number
        self.session = session
        self.dialogue: Dialogue | None = None
        self.is_over = False

    @property
    def is_settled(self) -> bool:
        """Do its packets pass as they are?"""
        return self.is_over

    def leave(self) -> None:
        """End the dialogue."""
        self.dialogue = None
        self.is_over = True

    def pass_on(self, packet: bytes, at: int, side: Side, reader: Reader) -> bytearray:
        """The packet to send on in place of this one, whose UDP header begins at `at`."""
        body = at + HEADER
        if self.is_over or len(packet) < body:
            return untouched(packet)
        _, edits, leaves = reader.read(self, side, packet[body:])
        made, here = bytearray(packet[:body]), body
        for start, end, text in edits:
            made += packet[here : body + start] + text
            here = body + end
        made += packet[here:]
        if leaves:
            self.leave()
        if len(made) > LONGEST:
            return untouched(packet)
        struct.pack_into("!H", made, at + 4, len(made) - at)
        _fastpath.finish(made)
        return made


def untouched(packet: bytes) -> bytearray:
    """As it came, its sums right."""
    made = bytearray(packet)
    _fastpath.finish(made)
    return made
