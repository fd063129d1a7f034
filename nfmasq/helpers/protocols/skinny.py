"""Skinny (SCCP, Cisco): a phone tells its call manager by TCP where it hears and sends sound and pictures.

A frame begins with three numbers of 32 bits in little-endian order. They are a length that counts from the
third one on, the version of the header, and the message's id. Ports are 32 bits, little-endian. Addresses are
in network order. From version 17 on an address has a word in front, 0 for IPv4, and 16 bytes.

Rewritten: what a phone inside says of itself. That is its address in Register and RegisterTokenReq, the port
in IpPort, and the endpoint in OpenReceiveChannelAck, StartMediaTransmissionAck, both of them for multimedia,
and PortRes. RTP comes to an even port and RTCP to the next one. Both come from anyone, until the call manager
names a host for the stream in StartMediaTransmission; then from that host. CloseReceiveChannel ends what the
stream has announced. Not rewritten: IPv6, and what the call manager says. Where phones outside register at a
call manager inside, nothing is. A frame's length never changes.

Source: no standard; Wireshark's dissector, FreeBSD's libalias, captures.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import (
    MOST_FOUND,
    Admitted,
    Dialogue,
    Found,
    Named,
    NotActedOn,
    Place,
    Reading,
    Session,
    Side,
)
from nfmasq.helpers.kit.call_media import CallMedia
from nfmasq.helpers.kit.dialogue import Leave
from nfmasq.helpers.kit.frames import FrameDialogue
from nfmasq.helpers.kit.numbers import LARGEST_PORT, address

HEADER = struct.Struct("<III")
COUNTED_FROM = 8
"""Bytes in front of what a length counts."""
TYPED = 17
"""The version from which on an address has its type in front."""
LONGEST, LONGEST_READ = 65536, 1024
LARGEST_VERSION, LARGEST_ID = 255, 0xFFFF

REGISTERS = {0x01, 0x29}
STATION_AT = HEADER.size + 24
IP_PORT = 0x02
PORT_RES = 0x45
ENDPOINT_AT = {0x22: 4, 0x31: 4, PORT_RES: 12, 0x154: 12, 0x155: 12}
"""Where the body of a message that names an endpoint has its address."""
PARTY_AT = {PORT_RES: 8, 0x154: 4, 0x155: 4}
"""Where the body names the stream; in other messages behind the port."""
WANTED = REGISTERS | {IP_PORT} | set(ENDPOINT_AT)

START_MEDIA, CLOSE_CHANNEL = 0x8A, 0x106
"""The call manager's: their bodies name the stream at 4, and the far end's address at 8."""
MOST_STREAMS_OF_A_PHONE = 32
"""Streams of a phone that are remembered."""


def _said(version: int, message: int, body: bytes) -> bytes:
    return HEADER.pack(len(body) + 4, version, message) + body


class Skinny:
    """The helper. It has no options."""

    name = "skinny"
    transport = "tcp"
    ports: tuple[int, ...] = (2000,)
    enabled_by_default = False
    about = "Skinny (SCCP): telephones and their call manager"

    examples = (
        (Side.INSIDE, _said(0, 0x01, b"SEP001122334455\0" + bytes(8) + b"\xc0\xa8\1\x0a" + bytes(12))),
        (Side.INSIDE, _said(0, 0x02, struct.pack("<I", 49152))),
        (Side.OUTSIDE, _said(0, 0x81, bytes(20)) + _said(0, 0x105, bytes(28))),
        (Side.INSIDE, _said(0, 0x22, struct.pack("<I4sII", 0, b"\xc0\xa8\1\x0a", 20480, 7))),
        (Side.INSIDE, _said(20, 0x22, struct.pack("<II4s12xIII", 0, 0, b"\xc0\xa8\1\x0a", 20482, 8, 9))),
        (Side.INSIDE, _said(20, 0x154, struct.pack("<IIII4s12xII", 1, 8, 9, 0, b"\xc0\xa8\1\x0a", 20482, 0))),
        (
            Side.INSIDE,
            _said(20, 0x45, struct.pack("<IIII4s12xII", 1, 9, 8, 0, b"\xc0\xa8\1\x0a", 20484, 20485)),
        ),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a phone's connection."""
        return SkinnyDialogue(session)


class SkinnyDialogue(FrameDialogue):
    """One phone. Stored: the session, and the newest streams by their numbers (passThruPartyID)."""

    head = HEADER.size

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._streams: OrderedDict[int, CallMedia] = OrderedDict()
        self._admitted: list[Admitted] = []
        self._ended: list[tuple[str, int]] = []

    def measure(self, side: Side, head: bytes) -> tuple[int, bool]:
        """A frame's length. Raises Leave: this is no Skinny."""
        length, version, message = HEADER.unpack(head)
        if not 4 <= length < LONGEST or version > LARGEST_VERSION or message > LARGEST_ID:
            raise Leave
        wanted = WANTED if side is Side.INSIDE else {START_MEDIA, CLOSE_CHANNEL}
        is_wanted = self._session.inside_began and message in wanted
        return COUNTED_FROM + length, is_wanted and length <= LONGEST_READ

    def may_begin(self, side: Side, begun: bytes) -> bool:
        """The upper bytes of the length and of the version are zeros."""
        return not any(begun[2:4]) and not any(begun[5:8])

    def read(self, side: Side, data: bytes) -> Reading:
        """Read what a side says next (Dialogue)."""
        self._admitted, self._ended = [], []
        reading = super().read(side, data)
        return reading._replace(admitted=self._admitted[:MOST_FOUND], ended=self._ended[:MOST_FOUND])

    def hear(self, side: Side, at: int, frame: bytes) -> Iterator[Place]:
        """What a phone says of itself, or its call manager of a stream. Raises NotActedOn("malformed")."""
        _, version, message = HEADER.unpack_from(frame)
        if side is Side.OUTSIDE:
            self._note_far_end(frame, version, message)
        elif message in REGISTERS:
            yield from _station(at, frame)
        elif message == IP_PORT:
            yield from _ports(at, frame, HEADER.size, HEADER.size, None)
        else:
            for found in _endpoint(at, frame, HEADER.size + ENDPOINT_AT[message], version):
                behind_port = found.end - at - HEADER.size
                stream = self._stream(frame, PARTY_AT.get(message, behind_port))
                yield found._replace(anyone=not stream.is_answered)
                self._admitted += stream.note_ports([found], self._session.remote[0])

    def _note_far_end(self, frame: bytes, version: int, message: int) -> None:
        stream = self._stream(frame, 4)
        if message == CLOSE_CHANNEL:
            self._ended += stream.ports
            self._streams.pop(_party(frame, 4), None)
            return
        start = HEADER.size + (12 if version >= TYPED else 8)
        is_ipv4 = version < TYPED or not any(frame[start - 4 : start])
        if is_ipv4 and len(frame) >= start + 4 and any(frame[start : start + 4]):
            self._admitted += stream.note_hosts([address(frame[start : start + 4])], self._session.remote[0])

    def _stream(self, frame: bytes, at: int) -> CallMedia:
        stream = self._streams.setdefault(_party(frame, at), CallMedia())
        if len(self._streams) > MOST_STREAMS_OF_A_PHONE:
            self._streams.popitem(last=False)
        return stream


def _party(frame: bytes, at: int) -> int:
    """The number of a stream, at this place in the body."""
    return int.from_bytes(frame[HEADER.size + at : HEADER.size + at + 4], "little")


def _station(at: int, frame: bytes) -> Iterator[Place]:
    """The address of a phone that registers."""
    if len(frame) >= STATION_AT + 4:
        own = address(frame[STATION_AT : STATION_AT + 4])
        yield Named(at + STATION_AT, at + STATION_AT + 4, own, partial(_write, b"", True, 0))


def _endpoint(at: int, frame: bytes, start: int, version: int) -> Iterator[Found]:
    """The endpoint whose address stands there, or the address's type."""
    if version >= TYPED and not any(frame[start : start + 4]):
        yield from _ports(at, frame, start + 4, start + 4 + 16, frame[start + 4 : start + 8])
    elif version < TYPED:
        yield from _ports(at, frame, start, start + 4, frame[start : start + 4])


def _ports(at: int, frame: bytes, start: int, port_at: int, own: bytes | None) -> Iterator[Found]:
    """A port, with the address that begins at `start`, if any. Port 0 is none: the phone could not open it.

    PortRes has the port for RTCP behind it.
    """
    end = port_at + 4
    port = int.from_bytes(frame[port_at:end], "little")
    if len(frame) < end or not port:
        return
    if port > LARGEST_PORT:
        raise NotActedOn("malformed")
    has_rtcp = HEADER.unpack_from(frame)[2] == PORT_RES and frame[end : end + 4] == _number(port + 1)
    filler = frame[start + 4 : port_at]
    write = partial(_write, filler, own is not None, 2 if has_rtcp else 1)
    yield Found(
        at + start,
        at + end + 4 * has_rtcp,
        None if own is None else address(own),
        port,
        write,
        "udp",
        anyone=True,
        consecutive=2,
    )


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _write(filler: bytes, has_address: bool, ports: int, own: IPv4Address, port: int) -> bytes:
    """An address if there was one, what stands behind it, and ports in a row."""
    return (own.packed + filler if has_address else b"") + b"".join(
        _number(port + nth) for nth in range(ports)
    )


HELPER = Skinny
