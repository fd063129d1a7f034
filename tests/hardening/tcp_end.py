"""One end of a TCP connection, correct by RFC 9293 and 7323 in all that concerns sequence numbers.

What is stored: the connection's variables under the names of RFC 9293 section 3.3.1, as integers that never
wrap; they wrap when a segment becomes a packet. Only this end's own methods write them. Nothing has a clock:
whoever holds the end decides when it sends, sends again, reads, closes; `receive` returns what a TCP answers
at once. Payload bytes are zeros: a NAT looks at lengths alone.
"""

from dataclasses import dataclass, field

from support.packets import ACK, FIN, PSH, RST, SYN

MSS = bytes([2, 4, 5, 180])
SACK_PERMITTED = bytes([1, 1, 4, 2])
MOST_SCALE = 14
MOST_FIELD = 65535


@dataclass(frozen=True)
class Segment:
    """What is sent. sequence and acknowledged do not wrap; window is the field as it stands."""

    flags: int
    sequence: int
    acknowledged: int = 0
    window: int = 0
    length: int = 0
    options: bytes = b""

    @property
    def end(self) -> int:
        """The sequence number behind it: SYN and FIN count as one each."""
        return self.sequence + self.length + bool(self.flags & SYN) + bool(self.flags & FIN)


def scale_option(shift: int) -> bytes:
    """RFC 7323 section 2.2, with a no-operation before it."""
    return bytes([1, 3, 3, shift])


@dataclass
class Variables:
    """initial: the first sequence number; buffer: bytes it can hold unread; shift: of its window, or None."""

    initial: int
    buffer: int = 60000
    shift: int | None = None
    state: str = "closed"
    una: int = 0
    nxt: int = 0
    right: int = 0
    rcv_nxt: int = 0
    unread: int = 0
    fin: int | None = None
    peer_fin: int | None = None
    peer_shift: int | None = None
    early: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shift = None if self.shift is None else min(self.shift, MOST_SCALE)
        self.una = self.nxt = self.initial

    @property
    def scaled(self) -> bool:
        """Windows are scaled only if both ends offered it."""
        return self.shift is not None and self.peer_shift is not None

    @property
    def window(self) -> int:
        """Bytes this end can take, rounded as its window field tells them."""
        shift = self.shift or 0 if self.scaled else 0
        return min(max(self.buffer - self.unread, 0) >> shift, MOST_FIELD) << shift

    @property
    def is_open(self) -> bool:
        return self.state == "open"


class End(Variables):
    """The end itself: what it sends, and what it answers."""

    def open(self) -> Segment:
        """Send a SYN."""
        self.state = "syn-sent"
        self.nxt = self.initial + 1
        return self._syn()

    def write(self, size: int) -> Segment | None:
        """As much new data as the peer's window lets out, up to `size`."""
        size = min(size, self.right - self.nxt)
        if not self.is_open or self.fin is not None or size <= 0:
            return None
        self.nxt += size
        return self._data(self.nxt - size, size)

    def again(self, start: int, size: int) -> Segment | None:
        """Send again what has not been acknowledged: up to `size` bytes from the `start`th on."""
        if self.state in ("syn-sent", "syn-received"):
            return self._syn()
        left = self.nxt - self.una
        if not self.is_open or not left:
            return None
        begin = self.una + start % left
        with_fin = self.fin is not None and begin + size > self.fin
        end = min(begin + size, self.fin if self.fin is not None else self.nxt)
        return self._data(begin, max(end - begin, 0), FIN if with_fin else 0)

    def acknowledge(self) -> Segment | None:
        """A bare ACK, as for a window update or a challenge (RFC 5961)."""
        return self._ack() if self.is_open else None

    def keep_alive(self, garbage: int) -> Segment | None:
        """RFC 9293 section 3.8.4: one before what is expected, with a byte of garbage or none."""
        if not self.is_open or self.una != self.nxt:
            return None
        return self._data(self.nxt - 1, garbage)

    def probe(self) -> Segment | None:
        """RFC 9293 section 3.8.6.1: a byte of new data though the window is closed."""
        if not self.is_open or self.fin is not None or self.nxt != self.right:
            return None
        self.nxt += 1
        return self._data(self.nxt - 1, 1)

    def probe_empty(self) -> Segment | None:
        """The same as Linux does it: nothing, one before what is expected."""
        if not self.is_open or self.right > self.nxt or self.una != self.nxt:
            return None
        return self._data(self.una - 1, 0)

    def read(self, size: int) -> Segment | None:
        """The program takes what has come; the peer is told of the larger window."""
        self.unread -= min(size, self.unread)
        return self.acknowledge()

    def close(self, size: int = 0) -> Segment | None:
        """Send a FIN, with the last bytes if the window lets them out."""
        if not self.is_open or self.fin is not None or self.nxt >= self.right:
            return None
        size = min(size, self.right - self.nxt - 1)
        self.fin = self.nxt + size
        self.nxt = self.fin + 1
        return self._data(self.fin - size, size, FIN)

    def abort(self) -> Segment | None:
        """Send a RST where the peer expects the next byte."""
        if not self.is_open:
            return None
        self.state = "dead"
        return Segment(RST | ACK, self._here(), self.rcv_nxt)

    def receive(self, segment: Segment) -> list[Segment]:
        """What RFC 9293 section 3.10.7 answers at once."""
        if self.state == "dead":
            answers = segment.flags & ACK and not segment.flags & RST
            return [Segment(RST, segment.acknowledged)] if answers else []
        if self.state == "closed":
            return self._from_closed(segment)
        if self.state == "syn-sent":
            return self._from_syn_sent(segment)
        return self._from_open(segment)

    def _from_closed(self, segment: Segment) -> list[Segment]:
        if segment.flags & (SYN | ACK | RST) != SYN:
            return []
        self._begin(segment)
        self.state = "syn-received"
        self.nxt = self.initial + 1
        return [self._syn()]

    def _from_syn_sent(self, segment: Segment) -> list[Segment]:
        if segment.flags & ACK and segment.acknowledged != self.nxt:
            return [] if segment.flags & RST else [Segment(RST, segment.acknowledged)]
        if segment.flags & RST:
            self.state = "dead" if segment.flags & ACK else self.state
            return []
        if not segment.flags & SYN:
            return []
        self._begin(segment)
        if not segment.flags & ACK:
            self.state = "syn-received"
            return [self._syn()]
        self.state = "open"
        self._acknowledged(segment)
        return [self._ack()]

    def _begin(self, segment: Segment) -> None:
        """What a SYN tells."""
        self.rcv_nxt = segment.sequence + 1
        at = segment.options.find(b"\x03\x03")
        self.peer_shift = None if at < 0 else min(segment.options[at + 2], MOST_SCALE)

    def _from_open(self, segment: Segment) -> list[Segment]:
        if self.state == "syn-received" and segment.flags & ACK and segment.acknowledged == self.initial + 1:
            self.state = "open"
            self._acknowledged(segment)
        if not self._is_acceptable(segment) or segment.flags & SYN:
            return [] if segment.flags & RST else [self._syn_or_ack()]
        if segment.flags & RST:
            if segment.sequence != self.rcv_nxt:
                return [self._syn_or_ack()]
            self.state = "dead"
            return []
        if segment.acknowledged > self.nxt:
            return [self._syn_or_ack()]
        self._acknowledged(segment)
        if segment.end == segment.sequence:
            return []
        self._take(segment)
        return [self._syn_or_ack()]

    def _is_acceptable(self, segment: Segment) -> bool:
        window_end = self.rcv_nxt + self.window
        if segment.end == segment.sequence:
            return self.rcv_nxt <= segment.sequence <= window_end
        return segment.sequence < window_end and segment.end > self.rcv_nxt

    def _acknowledged(self, segment: Segment) -> None:
        shift = self.peer_shift or 0 if self.scaled and not segment.flags & SYN else 0
        self.una = max(self.una, segment.acknowledged)
        self.right = max(self.right, segment.acknowledged + (segment.window << shift))

    def _take(self, segment: Segment) -> None:
        """Keep what lies in the window; move on over all that has come without a gap."""
        window_end = self.rcv_nxt + self.window
        if segment.flags & FIN:
            self.peer_fin = segment.sequence + segment.length
        self.early.append((segment.sequence, min(segment.sequence + segment.length, window_end)))
        for begin, end in sorted(self.early):
            if begin <= self.rcv_nxt < end:
                self.unread += end - self.rcv_nxt
                self.rcv_nxt = end
        self.early = [(begin, end) for begin, end in self.early if end > self.rcv_nxt]
        if self.rcv_nxt == self.peer_fin:
            self.rcv_nxt += 1

    def _syn(self) -> Segment:
        """A SYN, or SYN+ACK once the peer's is known; its window is never scaled."""
        options = MSS + SACK_PERMITTED
        if self.shift is not None and (self.state == "syn-sent" or self.peer_shift is not None):
            options += scale_option(self.shift)
        flags = SYN if self.state == "syn-sent" else SYN | ACK
        acknowledged = 0 if self.state == "syn-sent" else self.rcv_nxt
        return Segment(flags, self.initial, acknowledged, min(self.buffer, MOST_FIELD), options=options)

    def _syn_or_ack(self) -> Segment:
        return self._ack() if self.is_open else self._syn()

    def _ack(self) -> Segment:
        options = b""
        if self.early:
            edges = b"".join(edge.to_bytes(4) for edge in (number % (1 << 32) for number in self.early[0]))
            options = bytes([1, 1, 5, 10]) + edges
        return Segment(ACK, self._here(), self.rcv_nxt, self._field(), options=options)

    def _here(self) -> int:
        """Where this end stands; a byte sent to probe a closed window moves nothing on."""
        return min(self.nxt, self.right)

    def _data(self, sequence: int, length: int, flags: int = 0) -> Segment:
        return Segment(ACK | PSH | flags, sequence, self.rcv_nxt, self._field(), length)

    def _field(self) -> int:
        return self.window >> (self.shift or 0 if self.scaled else 0)
