"""From bytes that may go to segments: numbers and options as the receiver counts, no piece too long."""

from collections.abc import Callable, Iterable

from nfmasq.helpers import segment as tcp
from nfmasq.helpers.segment import ACK, CWR, FIN, PSH, RST, URG, Segment
from nfmasq.helpers.stream import Stream


def as_it_came(segment: Segment, payload: bytes) -> bytearray:
    """A segment with its own numbers, its sums right."""
    return tcp.write(
        segment,
        payload,
        sequence=segment.sequence,
        acked=segment.acked,
        flags=segment.flags,
        urgent=segment.urgent,
        options=None,
    )


def packets(segment: Segment, own: Stream, other: Stream, start: int, data: bytes) -> list[bytearray]:
    """Packets with those bytes of the sender's, in place of a segment: its own first."""
    end = start + len(data)
    if start < own.floor:
        data = data[own.floor - start :]
        start = min(own.floor, max(end, start))
    text = own.rewritten(start, end, data)
    acked, options = _answered(segment, other)
    flags = _flags(segment, own, end, text)
    at = _where(segment, own, own.image(start), text)
    made = []
    for piece, of_piece in _pieces(text, segment.room, flags):
        ahead = own.image(own.position(segment.sequence) + segment.urgent) - at if flags & URG else 0
        made.append(
            tcp.write(
                segment,
                piece,
                sequence=own.number(at),
                acked=acked,
                flags=of_piece if 0 < ahead <= 0xFFFF else of_piece & ~URG,
                urgent=ahead,
                options=options,
            )
        )
        at += len(piece)
    return made


def _answered(segment: Segment, other: Stream) -> tuple[int, bytes | None]:
    """The acknowledgment number as the other side counts, and the options if they had to change."""
    if not segment.flags & ACK or other.is_plain:
        return segment.acked, None
    acked = other.number(other.last_before(other.heard(segment.acked)))
    return acked, tcp.edges_moved(segment, _edge(other, other.first_behind), _edge(other, other.last_before))


def _pieces(text: bytes, room: int, flags: int) -> Iterable[tuple[bytes, int]]:
    """The text in pieces that have room, each with its flags."""
    if len(text) <= room:
        return ((text, flags),)
    cut = [text[at : at + room] for at in range(0, len(text), room)]
    first, middle, last = flags & ~(FIN | PSH), flags & ~(FIN | PSH | CWR), flags & ~CWR
    return zip(cut, [first, *[middle] * (len(cut) - 2), last], strict=True)


def _where(segment: Segment, own: Stream, at: int, text: bytes) -> int:
    """Where a segment stands for the receiver.

    One that is to be answered because it is old, a keep-alive or the repetition of bytes that are gone, must
    be old for the receiver too.
    """
    if text or segment.flags & (RST | FIN):
        return at
    return min(at, own.image(own.taken) - 1) if own.position(segment.sequence) < own.taken else at


def _flags(segment: Segment, own: Stream, end: int, text: bytes) -> int:
    """FIN only where all before it goes, PSH only with what is pushed."""
    flags = segment.flags
    size = len(segment.packet) - segment.body
    if flags & FIN and own.position(segment.sequence) + size != end:
        flags &= ~FIN
    return flags if text or not size else flags & ~PSH


def _edge(stream: Stream, moved: Callable[[int], int]) -> Callable[[int], int]:
    return lambda number: stream.number(moved(stream.heard(number)))
