"""PPTP (RFC 2637): a control connection sets calls up, whose packets go by GRE from one address to the other.

Each end gives a call an id, and the packets of the other end carry it: GRE's key. So behind one address the
ids of several clients may meet. The ids that the inside gives become external ones, in every message that
names them. What the outside gives stays, and is announced for what the inside sends.

A message begins with its length, its type, a magic number and its control type. Its length never changes. A
message without ids passes, of an unknown type too, by its length.
"""

import struct
from functools import partial
from ipaddress import IPv4Address
from itertools import count
from typing import NamedTuple

from nfmasq.helpers.kit.base import SENT, Dialogue, Found, Mentioned, Place, Reading, Session, Side

COOKIE = 0x1A2B3C4D
HEADER = struct.Struct("!HHIH")
"""Length of the whole message, type, magic cookie and control type."""
CONTROL = 1
"""The only message type with control types that mean something."""
LONGEST = 512
"""Bytes of a message with ids; the standard's longest has 220."""
LEAST = 18
"""Bytes by which all ids and the result of a reply have passed; the shortest message with ids has 16."""
PATIENCE_S = 600
"""The first packet of a call may be a keep-alive."""
MOST_CONTROL_MESSAGES = 96
"""In one reading: an Ethernet frame holds 91 of the shortest with ids; a host that says more means harm."""
MOST_CALL_IDS = 256
"""Calls of one session whose ids of the outside are remembered."""

# Control types: outgoing- and incoming-call request 7, 9 and reply 8, 10; incoming call connected 11; call
# clear 12 and disconnect 13; WAN error 14; set link info 15.
REQUESTS, REPLIES, ENDS = {7, 9}, {8, 10}, {12, 13}
DISCONNECT = 13
OWN_AT = dict.fromkeys(REQUESTS | REPLIES | ENDS, 12)
"""Where a message has the id that its speaker gave the call; and, below, the one that the other end gave."""
OTHER_AT = {8: 14, 10: 14, 11: 12, 14: 12, 15: 12}
RESULT_AT, CONNECTED = 16, 1


class Message(NamedTuple):
    """A message with ids. at: where it begins in what is read. own, other: the ids; None: it has none."""

    side: Side
    kind: int
    at: int
    own: int | None
    other: int | None
    refuses: bool


class Malformed(Exception):
    """This is no PPTP."""


class Pptp:
    """The helper. It has no options."""

    name = "pptp"
    transport = "tcp"
    ports: tuple[int, ...] = (1723,)
    enabled_by_default = False
    about = "Point-to-Point Tunneling Protocol: the call ids of its GRE packets"

    examples = (
        (Side.INSIDE, struct.pack("!HHIHH144x", 156, 1, COOKIE, 1, 0)),
        (Side.OUTSIDE, struct.pack("!HHIHH144x", 156, 1, COOKIE, 2, 0)),
        (Side.INSIDE, struct.pack("!HHIHHHH152x", 168, 1, COOKIE, 7, 0, 1990, 1)),
        (Side.OUTSIDE, struct.pack("!HHIHHHHBB14x", 32, 1, COOKIE, 8, 0, 0, 1990, 1, 0)),
        (Side.INSIDE, struct.pack("!HHIHHHxxII", 24, 1, COOKIE, 15, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF)),
        (Side.OUTSIDE, struct.pack("!HHIHHHxxII", 24, 1, COOKIE, 15, 0, 1990, 0xFFFFFFFF, 0xFFFFFFFF)),
        (Side.INSIDE, struct.pack("!HHIHHHxx", 16, 1, COOKIE, 12, 0, 1990)),
        (Side.OUTSIDE, struct.pack("!HHIHHHBBHH128x", 148, 1, COOKIE, 13, 0, 0, 4, 0, 0, 0)),
    )
    examples_from_outside = (
        (Side.OUTSIDE, struct.pack("!HHIHHHH152x", 168, 1, COOKIE, 7, 0, 7, 1)),
        (Side.INSIDE, struct.pack("!HHIHHHHBB14x", 32, 1, COOKIE, 8, 0, 128, 7, 1, 0)),
        (Side.OUTSIDE, struct.pack("!HHIHHHxxII", 24, 1, COOKIE, 15, 0, 128, 0xFFFFFFFF, 0xFFFFFFFF)),
        (Side.OUTSIDE, struct.pack("!HHIHHHxx", 16, 1, COOKIE, 12, 0, 7)),
        (Side.INSIDE, struct.pack("!HHIHHHBBHH128x", 148, 1, COOKIE, 13, 0, 128, 4, 0, 0, 0)),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a control connection."""
        return PptpDialogue()


class PptpDialogue:
    """One control connection.

    Stored: how much of each side's message is still to pass. Of each id that the outside gave also the
    inside's of the same call, once a reply has told it, and the reverse. What ends an entry: newer ones.
    """

    def __init__(self) -> None:
        self._passing = dict.fromkeys(Side, 0)
        self._calls: dict[int, int | None] = {}
        self._theirs: dict[int, int] = {}

    def read(self, side: Side, data: bytes) -> Reading:
        """The ids in all messages that are whole."""
        found: list[Place] = []
        ended: list[tuple[str, int]] = []
        at = min(self._passing[side], len(data))
        self._passing[side] -= at
        try:
            for number in count():
                if at >= len(data):
                    break
                if number >= MOST_CONTROL_MESSAGES:
                    raise Malformed
                length, kind = _head(data, at)
                if kind in OWN_AT or kind in OTHER_AT:
                    if at + length > len(data):
                        break
                    message = _message(side, kind, data, at)
                    found += self._places(message)
                    ended += self._ended(message)
                elif not length:
                    break
                self._passing[side] = max(0, at + length - len(data))
                at = min(at + length, len(data))
        except Malformed:
            return Reading(len(data), leave=True)
        return Reading(at, found, ended=ended)

    def _places(self, message: Message) -> list[Place]:
        """What takes another id, and what is announced."""
        places: list[Place] = []
        is_new = message.kind in REQUESTS | REPLIES
        if message.own is not None and not (message.kind in REPLIES and message.refuses):
            is_other_s = message.side is Side.OUTSIDE and message.own not in self._calls
            if message.kind == DISCONNECT and is_other_s:  # some name the call by its other id
                places.append(self._other(message, message.own))
            else:
                places.append(_own(message, message.own, is_new=is_new))
        if is_new and message.side is Side.OUTSIDE and message.own is not None and not message.refuses:
            self._remember(message.own, None)
        if message.other is not None:
            if message.side is Side.OUTSIDE:
                places.append(self._other(message, message.other))
            elif message.kind in REPLIES and message.own is not None and not message.refuses:
                self._remember(message.other, message.own)
        return places

    def _other(self, message: Message, key: int) -> Mentioned:
        """An id of the inside, which the outside names. Only the engine knows which one is meant."""
        at = message.at + OTHER_AT.get(message.kind, OWN_AT.get(message.kind, 0))
        write = partial(self._restore, message.own) if message.kind in REPLIES else _write
        return Mentioned(at, at + 2, key, write, transport="gre")

    def _restore(self, theirs: int | None, address: IPv4Address, port: int) -> bytes:
        """Write an id of the inside, and remember that it is the same call as the outside's."""
        if theirs in self._calls:
            self._remember(theirs, port)
        return _write(address, port)

    def _remember(self, theirs: int, own: int | None) -> None:
        self._part(theirs)
        self._calls.pop(theirs, None)
        if len(self._calls) >= MOST_CALL_IDS:
            oldest = next(iter(self._calls))
            self._part(oldest)
            del self._calls[oldest]
        self._calls[theirs] = own
        if own is not None:
            self._theirs[own] = theirs

    def _part(self, theirs: int) -> int | None:
        """Forget which id of the inside is the same call's, and return it."""
        own = self._calls.get(theirs)
        if own is None:
            return None
        self._calls[theirs] = None
        if self._theirs.get(own) == theirs:
            del self._theirs[own]
        return own

    def _ended(self, message: Message) -> list[tuple[str, int]]:
        """Both halves of a call that is over, as far as they are known."""
        if message.kind in REPLIES and message.refuses and message.side is Side.INSIDE:
            return [(SENT, message.other)] if message.other is not None else []
        if message.kind not in ENDS or message.own is None:
            return []
        if message.side is Side.INSIDE:
            theirs = self._theirs.get(message.own)
            if theirs is None:
                return [("gre", message.own)]
            self._part(theirs)
            return [("gre", message.own), (SENT, theirs)]
        if message.own not in self._calls:
            return []
        own = self._part(message.own)
        return [(SENT, message.own)] if own is None else [(SENT, message.own), ("gre", own)]


def _head(data: bytes, at: int) -> tuple[int, int]:
    """Length and control type of the message that begins there; 0 and 0: too little of it has come.

    A message that is no control message has the control type 0. Raises Malformed.
    """
    if len(data) - at < HEADER.size:
        if not _may_begin(data[at:]):
            raise Malformed
        return 0, 0
    length, message_type, cookie, kind = HEADER.unpack_from(data, at)
    if cookie != COOKIE or length < HEADER.size + 2:
        raise Malformed
    if message_type != CONTROL:
        return length, 0
    if (kind in OWN_AT or kind in OTHER_AT) and not (LEAST if kind in REPLIES else 16) <= length <= LONGEST:
        raise Malformed
    return length, kind


def _may_begin(data: bytes) -> bool:
    """May a message begin so?"""
    return COOKIE.to_bytes(4).startswith(data[4:8])


def _message(side: Side, kind: int, data: bytes, at: int) -> Message:
    def key(places: dict[int, int]) -> int | None:
        where = places.get(kind)
        return None if where is None else int.from_bytes(data[at + where : at + where + 2])

    refuses = kind in REPLIES and data[at + RESULT_AT] != CONNECTED
    return Message(side, kind, at, key(OWN_AT), key(OTHER_AT), refuses)


def _own(message: Message, key: int, *, is_new: bool) -> Found:
    """An id that the speaker gave. is_new: it is given here."""
    at = message.at + OWN_AT[message.kind]
    return Found(
        at,
        at + 2,
        None,
        key,
        _write,
        "gre",
        reuse=not is_new,
        patience_s=PATIENCE_S,
        ends_with_control=True,
    )


def _write(_address: IPv4Address, port: int) -> bytes:
    return port.to_bytes(2)


HELPER = Pptp
