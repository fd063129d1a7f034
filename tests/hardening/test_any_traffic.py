"""Whatever two correct TCP ends send, with loss, reordering and duplication on the way, passes the NAT."""

import random
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hardening.tcp_end import End, Segment
from hardening.tcp_path import Connection

sides = st.integers(0, 1)
numbers = st.integers(0, 1 << 16)
initials = st.one_of(st.integers(0, (1 << 32) - 1), st.integers((1 << 32) - 3000, (1 << 32) - 1))
sizes = st.one_of(st.integers(1, 1460), st.integers(1, 60000))
buffers = st.sampled_from([1, 500, 4000, 65535, 300_000, 5_000_000, 1 << 30])
shifts = st.sampled_from([None, 0, 1, 7, 14])


class AnyTraffic(RuleBasedStateMachine):
    """Window tracking too strict. Rules are what ends and networks do; the NAT is asked at every crossing."""

    connection: Connection
    ending = False

    @initialize(
        initials=st.tuples(initials, initials),
        sizes=st.tuples(buffers, buffers),
        scales=st.tuples(shifts, shifts),
        at_once=st.booleans(),
    )
    def begin(
        self,
        initials: tuple[int, int],
        sizes: tuple[int, int],
        scales: tuple[int | None, int | None],
        at_once: bool,
    ) -> None:
        near, far = (End(*each) for each in zip(initials, sizes, scales, strict=True))
        self.connection = Connection(near, far)
        self.connection.send(0, near.open())
        self.cross(0, 0)
        if at_once:
            self.all_goes_well_for_a_while()

    def cross(self, side: int, at: int) -> None:
        """One segment comes to the NAT."""
        verdict = self.connection.carry(side, at)
        assert not verdict.reason or verdict.stale, verdict.reason

    @rule(side=sides, size=sizes)
    def write(self, side: int, size: int) -> None:
        self._send(side, self._end(side).write(size))

    @rule(side=sides, start=numbers, size=sizes)
    def send_again(self, side: int, start: int, size: int) -> None:
        self._send(side, self._end(side).again(start, size))

    @rule(side=sides, how=st.sampled_from([End.acknowledge, End.probe, End.probe_empty]))
    def send_without_data(self, side: int, how: Callable[[End], Segment | None]) -> None:
        self._send(side, how(self._end(side)))

    @rule(side=sides, garbage=st.integers(0, 1))
    def keep_alive(self, side: int, garbage: int) -> None:
        self._send(side, self._end(side).keep_alive(garbage))

    @rule(side=sides, size=st.one_of(sizes, st.just(1 << 30)))
    def read(self, side: int, size: int) -> None:
        self._send(side, self._end(side).read(size))

    @rule()
    def come_to_an_end(self) -> None:
        self.ending = True

    @precondition(lambda self: self.ending)
    @rule(side=sides, size=sizes)
    def close(self, side: int, size: int) -> None:
        self._send(side, self._end(side).close(size))

    @precondition(lambda self: self.ending)
    @rule(side=sides)
    def abort(self, side: int) -> None:
        self._send(side, self._end(side).abort())

    @precondition(lambda self: self.connection.ends[1].state == "closed")
    @rule()
    def open_from_both_sides(self) -> None:
        self._send(1, self._end(1).open())

    @rule(side=sides, at=numbers)
    def cross_one(self, side: int, at: int) -> None:
        if waiting := self.connection.before[side]:
            self.cross(side, at % len(waiting))

    @rule(side=sides, at=numbers)
    def deliver_one(self, side: int, at: int) -> None:
        if waiting := self.connection.behind[side]:
            self.connection.deliver(side, at % len(waiting))

    @rule(side=sides, late=st.booleans(), at=numbers)
    def lose_one(self, side: int, late: bool, at: int) -> None:
        if waiting := self._waiting(side, late):
            waiting.pop(at % len(waiting))

    @rule(side=sides, late=st.booleans(), at=numbers)
    def double_one(self, side: int, late: bool, at: int) -> None:
        if waiting := self._waiting(side, late):
            waiting.append(waiting[at % len(waiting)])

    @rule()
    def all_goes_well_for_a_while(self) -> None:
        for _ in range(6):
            for side in (0, 1):
                while self.connection.before[side]:
                    self.cross(side, 0)
                while self.connection.behind[side]:
                    self.connection.deliver(side)

    def _end(self, side: int) -> End:
        return self.connection.ends[side]

    def _send(self, side: int, sent: Segment | None) -> None:
        self.connection.send(side, sent)

    def _waiting(self, side: int, late: bool) -> list[Segment]:
        return self.connection.behind[side] if late else self.connection.before[side]


TestAnyTraffic = AnyTraffic.TestCase
TestAnyTraffic.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def _one_step(machine: AnyTraffic, chance: random.Random) -> None:
    """Do something at random; packets come to the NAT and to the ends oftener than anything else happens."""
    side, size = chance.randrange(2), chance.choice([1, 100, 1460, 5000, 60000])
    at = 0 if chance.random() < 0.7 else chance.randrange(1 << 16)
    steps: tuple[tuple[int, Callable[[], None]], ...] = (
        (30, lambda: machine.cross_one(side, at)),
        (30, lambda: machine.deliver_one(side, at)),
        (20, lambda: machine.write(side, size)),
        (10, lambda: machine.send_again(side, chance.randrange(1 << 16), size)),
        (10, lambda: machine.read(side, chance.choice([1, 3000, 1 << 30]))),
        (3, lambda: machine.lose_one(side, chance.random() < 0.5, at)),
        (3, lambda: machine.double_one(side, chance.random() < 0.5, at)),
        (1, lambda: machine.send_without_data(side, chance.choice([End.acknowledge, End.probe]))),
        (1, lambda: machine.send_without_data(side, End.probe_empty)),
        (1, lambda: machine.keep_alive(side, chance.randrange(2))),
        (1, machine.all_goes_well_for_a_while),
    )
    weights, actions = zip(*steps, strict=True)
    chance.choices(actions, weights)[0]()


@pytest.mark.parametrize("seed", range(24))
def test_long_connections(seed: int) -> None:
    """Window tracking too strict.

    Thousands of steps each, over the wrap of the sequence numbers, with windows of all sizes; then an end.
    """
    chance = random.Random(seed)
    machine = AnyTraffic()
    shift = [None, 0, 1, 7, 14][seed % 5]
    buffers = chance.choice([4000, 65535]), chance.choice([65535, 300_000, 5_000_000])
    firsts = (1 << 32) - chance.randrange(200_000), chance.randrange(1 << 32)
    machine.begin(firsts, buffers, (shift, chance.choice([shift, 2])), at_once=True)
    for _ in range(2500):
        _one_step(machine, chance)
    moved = [end.nxt - end.initial for end in machine.connection.ends]
    assert sum(moved) > 20_000
    for side in (0, 1):
        machine.read(side, 1 << 30)
    machine.all_goes_well_for_a_while()
    for side in (0, 1):
        machine.close(side, 100)
    machine.all_goes_well_for_a_while()
    assert machine.connection.state in {"closing", "established", "fin-in", "fin-out"}
