"""Two ends of a TCP connection and the network between them, with the engine in its middle.

An end sends what it has in any cuts, repeats by the acknowledgments it is handed back, keeps the connection
alive, probes a closed window, and believes nothing that contradicts what it has heard. The network loses,
repeats and reorders on both sides of the router, and packets wait before the engine while the table goes on.
"""

import random
import re
from collections.abc import Iterable

from support.packets import ACK, FIN, PSH, l4_at, sums_are_right, tcp

from helpers.engine.bed import Bed, Connection, flags_of, numbers_of, payload_of, signed
from helpers.engine.test_stream import Plan
from nfmasq._fastpath import SetAside

CWR = 0x80
STAMP = bytes([1, 1, 8, 10]) + b"in time!"
"""A timestamps option (RFC 7323): nobody may touch it."""


def sack(blocks: list[tuple[int, int]], first: int) -> bytes:
    """The option (RFC 2018), aligned."""
    if not blocks:
        return b""
    edges = b"".join(((first + edge) % (1 << 32)).to_bytes(4) for block in blocks for edge in block)
    return bytes([1, 1, 5, 2 + len(edges)]) + edges


def blocks_in(packet: bytes, first: int) -> list[tuple[int, int]]:
    """The blocks of the option, behind STAMP."""
    option = packet[l4_at(packet) + 20 + len(STAMP) : len(packet) - len(payload_of(packet))]
    if option[:3] != b"\1\1\5":
        assert not option.strip(b"\1")
        return []
    edges = [signed(int.from_bytes(option[at : at + 4]) - first) for at in range(4, 2 + option[3], 4)]
    return list(zip(edges[::2], edges[1::2], strict=True))


class End:
    """One of them. una: so far was acknowledged; next: sent; rcv: heard; fin: the other's, or None."""

    def __init__(self, side: int, speech: bytes, chance: random.Random) -> None:
        self.side, self.speech, self.chance = side, speech, chance
        self.una = self.next = 0
        self.edges = [match.end() for match in re.finditer(rb"\d\b|\n", speech)]  # where a text may end
        self.sacked: list[tuple[int, int]] = []
        self.heard: dict[int, int] = {}
        self.rcv = 0
        self.fin: int | None = None
        self.window = 64000
        self.said: list[tuple[int, list[tuple[int, int]], int]] = []
        self.twice: tuple[int, int] | None = None

    @property
    def acked(self) -> int:
        """What it acknowledges: the FIN counts as one."""
        return self.rcv + (self.fin == self.rcv)

    def segment(self) -> tuple[int, int, int]:
        """Something to send: from where to where, with which flags."""
        size, chance = len(self.speech), self.chance
        cut = chance.choice([1, 3, 9, 40, 300, 1400])
        kind = chance.random()
        if kind < 0.4 and self.next < size:
            start = self.next
        elif kind < 0.5:
            start = min(self.una, size)
        elif kind < 0.6 and self.sacked:
            start = min(chance.choice(self.sacked)[1], size)
        elif kind < 0.92:
            start = chance.randint(max(0, self.una - 60), max(self.una, self.next))
            start = chance.choice([start, *(edge for edge in self.edges if self.una < edge < self.next)])
        else:  # a keep-alive, or the probe of a closed window
            start = max(self.una - 1, 0)
            return start, min(start + chance.randint(0, 1), self.next), ACK
        start = min(start, size)
        edges = [edge for edge in self.edges if edge > start]
        end = chance.choice(edges[:4]) if edges and chance.random() < 0.5 else min(size, start + cut)
        self.next = max(self.next, end)
        return start, end, ACK | (FIN if end == size else 0) | chance.choice([0, PSH, CWR])

    def blocks(self) -> list[tuple[int, int]]:
        """What it has behind gaps, at most two pieces; before them what came twice (RFC 2883)."""
        edges = sorted(at for at in self.heard if at > self.rcv)
        starts = [at for at in edges if at - 1 not in self.heard]
        found = [(at, next(end for end in range(at, at + 1 << 16) if end not in self.heard)) for at in starts]
        self.chance.shuffle(found)
        twice, self.twice = self.twice, None
        return [twice, *found[:1]] if twice and self.chance.random() < 0.5 else found[:2]

    def receive(self, at: int, payload: bytes, flags: int, *, strictly: bool) -> None:
        """Take a segment, which must not contradict what came before; strictly: nor what was acknowledged."""
        if at < self.rcv and payload:
            self.twice = at, min(at + len(payload), self.rcv)
        for place, byte in enumerate(payload, at):
            if (strictly and place >= 0) or place >= self.rcv:
                assert self.heard.get(place, byte) == byte, "two texts in one place"
            if self.rcv <= place < self.rcv + self.window:
                self.heard[place] = byte
        end = at + len(payload)
        if flags & FIN:
            assert self.fin in (None, end)
            self.fin = end
        while self.rcv in self.heard:
            self.rcv += 1

    def be_told(self, acked: int, blocks: Iterable[tuple[int, int]]) -> None:
        """Take an acknowledgment: of what was sent, and no more."""
        assert acked <= self.next + 1
        self.una = max(self.una, acked)
        self.sacked = [block for block in blocks if block[0] > acked]
        assert all(acked < start < end <= self.next for start, end in self.sacked)


class TwoEnds:
    """The connection. told: what each end was told, with what the other had said: acknowledged and blocks."""

    def __init__(
        self, bed: Bed, connection: Connection, speeches: tuple[bytes, bytes], chance: random.Random
    ) -> None:
        self.bed, self.connection = bed, connection
        self.chance = chance
        self.ends = End(0, speeches[0], self.chance), End(1, speeches[1], self.chance)
        self.near: list[tuple[int, bytes]] = []  # on their way to the router, by who sent them
        self.waiting: list[tuple[int, SetAside]] = []  # before the engine
        self.far: list[tuple[int, bytes]] = []  # on their way from it
        self.told: list[tuple[int, int, int, list[tuple[int, int]], list[tuple[int, int]], int]] = []
        self.newest = [0, 0]
        self.loss = self.chance.choice([0.0, 0.1, 0.5])

    def step(self) -> None:
        """Something happens."""
        what = self.chance.random()
        if what < 0.3:
            self.send(self.chance.choice(self.ends))
        elif what < 0.55 and self.near:
            self.reach(*self.near.pop(self.pick(self.near)))
        elif what < 0.75 and self.waiting:
            self.answer()
        elif self.far:
            self.arrive(*self.far.pop(self.pick(self.far)))

    def pick(self, packets: list[tuple[int, bytes]]) -> int:
        """Mostly the oldest; some are lost or come twice."""
        at = 0 if self.chance.random() < 0.7 else self.chance.randrange(len(packets))
        if self.chance.random() < 0.1:
            packets.append(packets[at])
        if self.chance.random() < self.loss and len(packets) > 1:
            del packets[at]
            return 0
        return at

    def settle(self) -> None:
        """Nothing is lost any more: all that is under way arrives, until both have heard all."""
        for end in self.ends:
            end.window = 64000
        for _ in range(3000):
            if all(end.una > len(end.speech) for end in self.ends):
                return
            for end in self.ends:
                start = min(end.una, len(end.speech))
                stop = min(len(end.speech), start + 1000)
                end.next = max(end.next, stop)
                self.put(end, start, stop, ACK | (FIN if stop == len(end.speech) else 0))
            self.deliver()
        raise AssertionError("they do not come to an end")

    def wander(self, most: int) -> None:
        """Up to so many random steps, then all of the rest; the helper may be disabled on the way."""
        steps, off_at = self.chance.randint(0, most), self.chance.choice([-1, self.chance.randint(0, most)])
        for step in range(steps):
            if step == off_at:
                self.bed.engine.set_enabled("here", False)
            self.bed.now += self.chance.choice([0.0, 0.0, 0.01, 0.3])
            self.step()
            if self.chance.random() < 0.05:
                self.bed.engine.tick()
        self.settle()

    def deliver(self) -> None:
        """All that is under way arrives."""
        while self.near or self.waiting or self.far:
            if self.near:
                self.reach(*self.near.pop(0))
            if self.waiting:
                self.answer()
            if self.far:
                self.arrive(*self.far.pop(0))

    def send(self, end: End) -> None:
        """An end sends something."""
        if self.chance.random() < 0.05:
            end.window = self.chance.choice([0, 1, 30, 500, 64000])
        self.put(end, *end.segment())

    def put(self, end: End, start: int, stop: int, flags: int) -> None:
        """A segment on its way to the router."""
        connection, other = self.connection, 1 - end.side
        first = connection.numbers[other] + 1
        source, target = connection.way(end.side)
        packet = tcp(
            *source,
            *target,
            flags,
            payload=end.speech[start:stop],
            options=STAMP + sack(end.blocks(), first),
            sequence=(connection.numbers[end.side] + 1 + start) % (1 << 32),
            acked=(first + end.acked) % (1 << 32),
            window=min(end.window, 64000),
        )
        self.near.append((end.side, packet))

    def reach(self, side: int, packet: bytes) -> None:
        """A packet comes to the router."""
        reason, sent = self.into_the_core(side, packet)
        assert not reason
        aside = self.bed.table.next_set_aside(0)
        if aside is None:
            self.note(side, packet, sent)
        else:
            self.waiting.append((side, aside))

    def into_the_core(self, side: int, packet: bytes) -> tuple[str, bytes]:
        """What the core makes of it: a reason, or what goes on."""
        return self.bed.table.translate(packet, inbound=side == 1)

    def answer(self) -> None:
        """The engine answers the oldest packet."""
        side, aside = self.waiting.pop(0)
        self.bed.table.verdicts.clear()
        self.bed.remainder.packets.clear()
        self.bed.engine.answer(aside)
        sent = [*self.bed.table.verdicts, *self.bed.remainder.packets]
        assert None not in sent
        for each in sent:
            self.note(side, aside.packet, each or b"")

    def note(self, side: int, came: bytes, goes: bytes) -> None:
        """Remember what its acknowledgment became, and send it on."""
        assert sums_are_right(goes)
        assert goes[l4_at(goes) + 20 :].startswith(STAMP)
        first = self.connection.numbers[1 - side] + 1
        said, told = signed(numbers_of(came)[1] - first), signed(numbers_of(goes)[1] - first)
        before = self.newest[side]
        self.newest[side] = max(said, before)
        self.told.append((side, said, told, blocks_in(came, first), blocks_in(goes, first), before))
        self.far.append((side, goes))

    def arrive(self, side: int, packet: bytes) -> None:
        """A packet comes to the other end."""
        other = self.ends[1 - side]
        at = signed(numbers_of(packet)[0] - self.connection.numbers[side] - 1)
        first = self.connection.numbers[1 - side] + 1
        other.be_told(signed(numbers_of(packet)[1] - first), blocks_in(packet, first))
        other.receive(at, payload_of(packet), flags_of(packet), strictly=not self.bed.table.let)

    def require_exact(self, plans: tuple[Plan, Plan]) -> None:
        """Each end heard the rewriting of the whole, and was told just what the other had of what it sent."""
        for end, plan in zip(self.ends, reversed(plans), strict=True):
            assert bytes(end.heard[at] for at in range(end.rcv)) == plan.rewritten
        for side, said, told, blocks, blocks_told, before in self.told:
            plan = plans[1 - side]
            exact = plan.position(said)
            assert told == exact if said >= before else told <= plan.position(before)
            newer = [block for block in blocks if block[0] > max(before, said)]
            expected = [(plan.position_behind(start), plan.position(end)) for start, end in newer]
            assert [block for block in blocks_told if block[0] > plan.position(max(before, said))] == [
                block for block in expected if block[0] < block[1]
            ]


def rewritten_lines(said: bytes, heard: bytes, texts: Iterable[tuple[bytes, bytes]]) -> Plan:
    """The plan that makes `heard` of `said`: in each line one text of a pair became the other, or stayed.

    Raises AssertionError where there is no such plan.
    """
    splices, at, here = list[tuple[int, int, bytes]](), 0, 0
    for line in said.splitlines(keepends=True):
        for old, new in texts:
            place = line.find(old)
            if place >= 0 and old != new and heard[here:].startswith(line.replace(old, new)):
                splices.append((at + place, at + place + len(old), new))
                here += len(new) - len(old)
        at, here = at + len(line), here + len(line)
    plan = Plan(said, splices)
    assert plan.rewritten == heard
    return plan
