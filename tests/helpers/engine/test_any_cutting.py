"""For any cutting, order, repetition and loss of what a side sends, the other hears one rewriting of it.

The sender and the network do what hypothesis draws; the receiver is a strict one: a byte it has heard must
never come again as another. The rewriting is made from the whole stream, with the table's mappings.
"""

import re
from ipaddress import IPv4Address
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packets import ACK, FIN

from helpers.engine.bed import CLIENT, LONG, SHORT, Bed, Connection, flags_of, payload_of, signed
from helpers.engine.here import NAMED, text_of
from helpers.engine.test_stream import Plan

NUMBERS = st.sampled_from([(7, 1007), ((1 << 32) - 60, (1 << 31) - 30), ((1 << 31) - 100, (1 << 32) - 1)])


@st.composite
def speeches(draw: st.DrawFn) -> bytes:
    """What CLIENT says: lines, some of which name endpoints."""
    lines, port = [b"HI\r\n"], 5000
    for kind in draw(st.lists(st.sampled_from(["plain", "here", "whole", "again", "empty"]), max_size=10)):
        port += draw(st.sampled_from([0, 1, 990])) if kind in ("here", "whole") else 0
        word = {"here": b"HERE ", "again": b"AGAIN ", "whole": b"WHOLE "}.get(kind, b"")
        text = word + text_of(CLIENT, port) if word else b"x" * 7 * (kind == "plain")
        lines.append(text + b"\r\n")
    return b"".join(lines)


def planned(bed: Bed, speech: bytes) -> Plan:
    """The speech and what must be heard instead of it."""
    external = {row.internal: row.external for row in bed.table.mappings()}
    announced, splices = set[int](), list[tuple[int, int, bytes]]()
    for match in re.finditer(rb"[^\n]*\n", speech):
        line = NAMED.fullmatch(match[0])
        if line is None:
            continue
        port = int(line[2].split()[1])
        if line[1] != b"AGAIN":
            announced.add(port)
        if port in announced:
            text, end = text_of(*external[CLIENT, port]), line.end(2)
            if line[1] == b"WHOLE":
                text, end = text + b"\r\n", line.end()
            splices.append((match.start() + line.start(2), match.start() + end, text))
    return Plan(speech, splices)


class Receiver:
    """SERVER's end: what it has, by position."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.bytes: dict[int, int] = {}
        self.next = 0
        self.fin: int | None = None
        self.sent = 0

    def receive(self, packet: bytes) -> None:
        """Take what is in a packet, which must not contradict what came before."""
        at = self.connection.heard(0, packet)
        for place, byte in enumerate(payload_of(packet), at):
            assert self.bytes.setdefault(place, byte) == byte
        if flags_of(packet) & FIN:
            assert self.fin in (None, at + len(payload_of(packet)))
            self.fin = at + len(payload_of(packet))
        while self.next in self.bytes:
            self.next += 1

    @property
    def acked(self) -> int:
        """What it acknowledges: the FIN counts as one."""
        return self.next + (self.next == self.fin)

    def blocks(self) -> list[tuple[int, int]]:
        """What it has behind gaps, at most three pieces."""
        edges = [at for at in self.bytes if at > self.next and at - 1 not in self.bytes]
        ends = [next(end for end in range(at, at + 1 << 16) if end not in self.bytes) for at in edges]
        return list(zip(edges, ends, strict=True))[:3]


def sack(blocks: list[tuple[int, int]], first: int) -> bytes:
    """The option (RFC 2018), aligned."""
    if not blocks:
        return b""
    edges = b"".join(((first + edge) % (1 << 32)).to_bytes(4) for block in blocks for edge in block)
    return bytes([1, 1, 5, 2 + len(edges)]) + edges


def answer(connection: Connection, receiver: Receiver) -> tuple[int, list[tuple[int, int]]]:
    """What the receiver's ACK tells the sender: how far, and which blocks."""
    first = connection.numbers[0] + 1
    blocks = receiver.blocks()
    (packet,) = connection.send(1, at=receiver.sent, acked=receiver.acked, options=sack(blocks, first))
    assert connection.heard(1, packet) == receiver.sent
    option = packet.find(bytes([5, 2 + 8 * len(blocks)]), 40) if blocks else -1
    edges = [int.from_bytes(packet[option + at : option + at + 4]) for at in range(2, 2 + 8 * len(blocks), 4)]
    told = [signed(edge - first) for edge in edges] if option > 0 else []
    return connection.told(1, packet), list(zip(told[::2], told[1::2], strict=True))


def require_exact(plan: Plan, receiver: Receiver, acked: int, fin_at: int | None) -> None:
    """Told is just what the receiver has whole."""
    if fin_at is not None and receiver.acked > receiver.next:
        assert acked == fin_at + 1
        return
    sent = max(at for at, image in enumerate(plan.images) if image <= receiver.acked)
    assert acked == sent


@pytest.mark.parametrize("forwarded", [False, True])
@settings(max_examples=150, deadline=None)
@given(speech=speeches(), numbers=NUMBERS, external=st.sampled_from([SHORT, LONG]), data=st.data())
def test_one_stream_is_heard(
    forwarded: bool, speech: bytes, numbers: tuple[int, int], external: IPv4Address, data: st.DataObject
) -> None:
    bed = Bed(forward=forwarded, external=(external,))
    connection = Connection(bed, numbers).open()
    receiver, acked, told = Receiver(connection), 0, []
    size, fin = len(speech), data.draw(st.booleans(), "fin")
    if data.draw(st.booleans(), "the receiver ends first"):
        connection.send(1, flags=ACK | FIN)
        receiver.sent = 1
    delayed: list[bytes] = []
    for _ in range(data.draw(st.integers(0, 25), "segments")):
        start = data.draw(st.integers(min(acked, size), size))
        end = data.draw(st.integers(start, min(size, start + data.draw(st.sampled_from([1, 9, 40, 1400])))))
        flags = ACK | (FIN if fin and end == size else 0)
        for packet in connection.send(0, speech[start:end], at=start, flags=flags):
            if data.draw(st.sampled_from(["comes", "comes", "late", "lost"])) == "comes":
                receiver.receive(packet)
            else:
                delayed.append(packet)
        if delayed and data.draw(st.sampled_from([True, False])):
            receiver.receive(delayed.pop(data.draw(st.integers(0, len(delayed) - 1))))
        if data.draw(st.booleans()):
            acked, blocks = answer(connection, receiver)
            told.append((receiver.acked, acked, receiver.next))
            assert all(acked <= begin < end <= size for begin, end in blocks)
    for _ in range(size + 2):  # at last nothing is lost any more
        acked, _blocks = answer(connection, receiver)
        if acked >= size + fin:
            break
        flags = ACK | (FIN if fin else 0)
        for packet in connection.send(0, speech[acked:], at=acked, flags=flags):
            receiver.receive(packet)
    plan = planned(bed, speech)
    assert bytes(receiver.bytes[at] for at in range(receiver.next)) == plan.rewritten
    assert acked == size + fin
    for heard, was_told, whole in told:
        receiver.next = whole
        receiver.fin = whole if heard > whole else None
        require_exact(plan, receiver, was_told, size if heard > whole else None)


@settings(max_examples=60, deadline=None)
@given(speech=speeches(), sizes=st.lists(st.integers(1, 30), min_size=1, max_size=400))
def test_any_cutting_in_order_needs_no_repetition(speech: bytes, sizes: list[int]) -> None:
    bed = Bed()
    connection = Connection(bed).open()
    cuts = [0, *(at for at in accumulate(sizes) if at < len(speech)), len(speech)]
    heard = b"".join(connection.say(0, speech[start:end], at=start) for start, end in pairwise(cuts))
    assert heard == planned(bed, speech).rewritten
