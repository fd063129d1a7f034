"""TCP segments in IP packets: parsed, and written with other numbers and another payload.

Lengths are checked here, though the core has checked them before: no code behind this file checks them again.
"""

import struct
from collections.abc import Callable
from ipaddress import IPv4Address

from nfmasq import _fastpath

FIN, SYN, RST, PSH, ACK, URG, CWR = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x80

LEAST_ROOM = 576
"""Bytes: every path carries IP packets of this size (RFC 791), so a segment may always grow up to it."""
LONGEST = 65531
"""Bytes of the longest packet that a netfilter queue accepts with a verdict."""
LONGEST_ALONE = 1500
"""Bytes: a longer packet may be a train, several segments that the kernel takes apart when it sends them."""

_FIELDS = struct.Struct("!IIBBHHH")
_NUMBERS = struct.Struct("!II")
_URGENT = struct.Struct("!H")
_BLOCK = struct.Struct("!II")
_END, _NOTHING, _SACK = 0, 1, 5


class Segment:
    """One TCP segment. packet: the IP packet. at, body: where the TCP header and the payload begin, in bytes.

    Raises ValueError where the TCP header runs past the packet.
    """

    __slots__ = ("acked", "at", "body", "flags", "packet", "sequence", "urgent")

    def __init__(self, packet: bytes, at: int, end: int) -> None:
        self.packet = packet
        self.at = at
        fields: tuple[int, ...] = _FIELDS.unpack_from(packet, at + 4)
        self.sequence, self.acked, offset, self.flags, _, _, self.urgent = fields
        self.body = at + (offset >> 4 << 2)
        if not at + 20 <= self.body <= end:
            raise ValueError("the TCP header runs past the packet")

    @property
    def payload(self) -> bytes:
        """The bytes behind the TCP header."""
        return self.packet[self.body :]

    @property
    def has_options(self) -> bool:
        """Does the TCP header carry options?"""
        return self.body > self.at + 20

    @property
    def room(self) -> int:
        """Bytes of payload that fit: the path carries packets of this size, and of 576 bytes (RFC 791)."""
        return min(max(len(self.packet), LEAST_ROOM), LONGEST) - self.body

    @property
    def is_train(self) -> bool:
        """May the packet hold several segments?"""
        return len(self.packet) > LONGEST_ALONE

    @property
    def room_behind(self) -> int:
        """Bytes of payload for a packet of our own making that follows: no kernel takes that one apart."""
        return LEAST_ROOM - self.body if self.is_train else self.room


def transport_of(packet: bytes) -> tuple[int, int]:
    """The protocol number of an IPv4 packet, and where its transport header begins, in bytes.

    Raises ValueError for a fragment, and where the lengths contradict each other (RFC 791).
    """
    if len(packet) < 20 or packet[0] >> 4 != 4:
        raise ValueError("no IPv4 packet")
    at = (packet[0] & 15) << 2
    if at < 20 or int.from_bytes(packet[2:4]) != len(packet) or packet[6] & 0x3F or packet[7]:
        raise ValueError("not a whole IPv4 packet")
    return packet[9], at


def read(packet: bytes, at: int) -> Segment:
    """The segment in an IP packet whose TCP header begins at byte `at`. Raises ValueError."""
    if len(packet) < at + 20:
        raise ValueError("the TCP header runs past the packet")
    return Segment(packet, at, len(packet))


def write(
    segment: Segment,
    payload: bytes,
    *,
    sequence: int,
    acked: int,
    flags: int,
    urgent: int,
    options: bytes | None,
) -> bytearray:
    """The segment with another payload, other numbers and flags, and right checksums.

    options: None keeps them; else bytes of the same length.
    """
    made = bytearray(segment.packet[: segment.body])
    if options is not None:
        made[segment.at + 20 :] = options
    at = segment.at
    _NUMBERS.pack_into(made, at + 4, sequence, acked)
    made[at + 13] = flags
    _URGENT.pack_into(made, at + 18, urgent if flags & URG else 0)
    made += payload
    _fastpath.finish(made)
    return made


def sent_from(packet: bytearray, address: IPv4Address, port: int) -> bytearray:
    """An IP packet of TCP or UDP with another source, and right checksums."""
    at = (packet[0] & 15) << 2
    packet[12:16] = address.packed
    packet[at : at + 2] = port.to_bytes(2)
    _fastpath.finish(packet)
    return packet


def edges_moved(segment: Segment, left: Callable[[int], int], right: Callable[[int], int]) -> bytes | None:
    """The segment's options with the edges of its SACK blocks (RFC 2018) moved; None: it has no such block.

    A block that becomes empty is left out. Malformed options stay as they are.
    """
    if not segment.has_options:
        return None
    options = segment.packet[segment.at + 20 : segment.body]
    at = _find_sack(options)
    if at < 0:
        return None
    size = options[at + 1]
    blocks = []
    for edge in range(at + 2, at + size, 8):
        begin, end = _BLOCK.unpack_from(options, edge)
        begin, end = left(begin), right(end)
        if (end - begin - 1) % (1 << 32) < 1 << 31:
            blocks.append(_BLOCK.pack(begin, end))
    made = b"".join([bytes([_SACK, 2 + 8 * len(blocks)]), *blocks]) if blocks else b""
    return options[:at] + made.ljust(size, bytes([_NOTHING])) + options[at + size :]


def _find_sack(options: bytes) -> int:
    """Where the SACK option begins, or -1."""
    at = 0
    while at + 1 < len(options) and options[at] != _END:
        if options[at] == _NOTHING:
            at += 1
            continue
        size = options[at + 1]
        if size < 2 or at + size > len(options):
            return -1
        if options[at] == _SACK:
            return at if size % 8 == 2 and size > 2 else -1
        at += size
    return -1
