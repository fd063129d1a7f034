"""From bytes that may go to segments, with the numbers and options that the receiver expects."""

from collections.abc import Callable, Iterable

from nfmasq.helpers.engine import segment as tcp
from nfmasq.helpers.engine.segment import ACK, CWR, FIN, PSH, URG, Segment
from nfmasq.helpers.engine.stream import Stream


def as_it_came(segment: Segment, payload: bytes) -> bytearray:
    """A segment with its own numbers and right checksums."""
    return tcp.write(
        segment,
        payload,
        sequence=segment.sequence,
        acked=segment.acked,
        flags=segment.flags,
        urgent=segment.urgent,
        options=None,
    )


def packets(
    segment: Segment, own: Stream, other: Stream, start: int, data: bytes, *, is_final: bool
) -> list[bytearray]:
    """Packets with these bytes of the sender, in place of a segment: its own packet first.

    start: the sender's position of the first byte. is_final: no later byte of the sender is rewritten.
    """
    end = start + len(data)
    if start < own.floor:
        data = data[own.floor - start :]
        start = min(own.floor, max(end, start))
    text = own.rewritten(start, end, data)
    acked, options = _answered(segment, other)
    flags = _flags(segment, own, end, text)
    mark = None
    if flags & URG or own.urgent is not None:
        mark = _mark(segment, own, text, is_final)
    at = own.image(start)
    if not text:
        at = _where(segment, own, at)
    if mark is None and len(text) <= segment.room:
        return [
            tcp.write(
                segment,
                text,
                sequence=own.number(at),
                acked=acked,
                flags=flags & ~URG,
                urgent=0,
                options=options,
            )
        ]
    made = []
    for piece, of_piece in _pieces(text, segment, flags & ~URG):
        ahead = 0 if mark is None else own.image(mark) - at
        made.append(
            tcp.write(
                segment,
                piece,
                sequence=own.number(at),
                acked=acked,
                flags=of_piece | URG if 0 < ahead <= 0xFFFF else of_piece,
                urgent=ahead,
                options=options,
            )
        )
        at += len(piece)
    return made


def reset(segment: Segment, own: Stream, other: Stream, reach: int) -> bytearray:
    """An RST as the receiver counts. reach: the position behind the sender's last byte that came.

    An RST ends a connection only with the number its receiver expects (RFC 5961 section 3). An RST at `reach`
    gets that number: bytes that wait here are left out. Any other RST stays off by as much as it was off.
    Bytes in an RST are a text for people and no part of the stream; they are dropped.
    """
    at = own.position(segment.sequence)
    acked, options = _answered(segment, other)
    return tcp.write(
        segment,
        b"",
        sequence=own.number(own.image(own.taken) if at == reach else own.expected(at)),
        acked=acked,
        flags=segment.flags,
        urgent=0,
        options=options,
    )


def _answered(segment: Segment, other: Stream) -> tuple[int, bytes | None]:
    """The acknowledgment number as the other side counts, and the options; None: they stay."""
    if not segment.flags & ACK or other.is_plain:
        return segment.acked, None
    acked = other.number(other.last_before(other.receiver_position(segment.acked)))
    if not segment.has_options:
        return acked, None
    return acked, tcp.edges_moved(segment, _edge(other, other.first_behind), _edge(other, other.last_before))


def _pieces(text: bytes, segment: Segment, flags: int) -> Iterable[tuple[bytes, int]]:
    """The text in pieces no longer than a packet has room for, each with its flags."""
    room = segment.room
    if len(text) <= room:
        return ((text, flags),)
    behind = segment.room_behind
    cut = [text[:room], *(text[at : at + behind] for at in range(room, len(text), behind))]
    first, middle, last = flags & ~(FIN | PSH), flags & ~(FIN | PSH | CWR), flags & ~CWR
    return zip(cut, [first, *[middle] * (len(cut) - 2), last], strict=True)


def _mark(segment: Segment, own: Stream, text: bytes, is_final: bool) -> int | None:
    """The urgent position to write. One beyond the bytes that go may still move: it is written later."""
    if segment.flags & URG:
        own.urgent = own.position(segment.sequence) + segment.urgent
    elif not text:
        return None
    mark = own.urgent
    if mark is None or not (is_final or mark <= own.taken):
        return None
    own.urgent = None
    return mark


def _where(segment: Segment, own: Stream, at: int) -> int:
    """The receiver's position of a segment without bytes.

    A keep-alive, or a retransmission of bytes that went before, is answered because it is old. So it must be
    old for the receiver too.
    """
    if segment.flags & FIN:
        return at
    return min(at, own.image(own.taken) - 1) if own.position(segment.sequence) < own.taken else at


def _flags(segment: Segment, own: Stream, end: int, text: bytes) -> int:
    """The flags: FIN only where all bytes before it go, PSH only with bytes."""
    flags = segment.flags
    size = len(segment.packet) - segment.body
    if flags & FIN and own.position(segment.sequence) + size != end:
        flags &= ~FIN
    return flags if text or not size else flags & ~PSH


def _edge(stream: Stream, moved: Callable[[int], int]) -> Callable[[int], int]:
    return lambda number: stream.number(moved(stream.receiver_position(number)))
