"""A UDP session that a helper reads: each datagram as a whole and by itself; no bytes wait.

What is stored: the helper's dialogue. Who writes: the engine's thread; whoever holds the engine's lock may
call `leave`. What ends the dialogue: its own wish, an error, or its helper is disabled.
"""

import os
import struct

from nfmasq import _fastpath
from nfmasq.helpers.engine.interfaces import Name, Reader
from nfmasq.helpers.engine.segment import LEAST_ROOM, LONGEST
from nfmasq.helpers.kit.base import Dialogue, Session, Side

HEADER = 8
_LENGTH = struct.Struct("!H")
DONT_FRAGMENT = 0x40
"""DF, in byte 6 of the IPv4 header."""


class UdpSession:
    """number: the helper's. is_over: the dialogue has ended, and with it the helper on this session.

    is_open: the caller is who it says. A source outside may be forged until it speaks again behind an answer.
    partner: of a hairpinned session, the other side's.
    """

    __slots__ = ("_is_answered", "dialogue", "endpoints", "is_open", "is_over", "name", "number", "partner")

    shifts = corrected = 0, 0

    def __init__(self, name: Name, number: int, endpoints: Session) -> None:
        self.name = name
        self.number = number
        self.endpoints = endpoints
        self.partner: Name | None = None
        self.dialogue: Dialogue | None = None
        self.is_open = endpoints.inside_began
        self.is_over = self._is_answered = False

    @property
    def is_settled(self) -> bool:
        """Do its packets pass unchanged?"""
        return self.is_over

    def begin(self, reader: Reader) -> None:
        """Begin the dialogue. Unlike a connection's it begins with the first packet."""
        self.dialogue = reader.begin(self)
        self.is_over = self.dialogue is None

    def leave(self) -> None:
        """End the dialogue."""
        self.dialogue = None
        self.is_over = True

    def give_way(self) -> None:
        """As leave: only the first packet begins a dialogue."""
        self.leave()

    def pass_on(self, packet: bytes, at: int, side: Side, reader: Reader) -> bytearray:
        """The packet to send in place of this one, whose UDP header begins at byte `at`.

        A packet that would grow past LONGEST goes untouched.
        """
        body = at + HEADER
        if side is Side.INSIDE:
            self._is_answered = True
        elif self._is_answered:
            self.is_open = True
        if self.is_over or len(packet) < body:
            return untouched(packet)
        _, edits, leaves = reader.read(self, side, packet[body:])
        made = bytearray(packet)
        for start, end, text in reversed(edits):
            made[body + start : body + end] = text
        if leaves:
            self.leave()
        length = len(made)
        if length > LONGEST:
            return untouched(packet)
        _LENGTH.pack_into(made, at + 4, length - at)
        if length > LEAST_ROOM and length > len(packet):
            let_be_fragmented(made)
        _fastpath.finish(made)
        return made


def let_be_fragmented(packet: bytearray) -> None:
    """Clear DF of a packet that grew: its sender cannot know that the path is too narrow for it.

    The kernel cuts it up where it is too long. A packet with DF needs no identification, so it gets one that
    nobody can guess (RFC 6864, RFC 7739).
    """
    if packet[6] & DONT_FRAGMENT:
        packet[6] &= ~DONT_FRAGMENT
        packet[4:6] = os.urandom(2)


def untouched(packet: bytes) -> bytearray:
    """The packet as it came, with right checksums."""
    made = bytearray(packet)
    _fastpath.finish(made)
    return made
