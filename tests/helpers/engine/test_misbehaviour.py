"""A helper that raises, floods or never ends: out on that session, counted; every byte arrives all the same.

Nothing else is touched: another session is read and rewritten before, meanwhile and after.
"""

from collections.abc import Iterator

import pytest
from support.packets import ACK, SYN, tcp

from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, SERVER, Bed, Connection, payload_of
from helpers.engine.here import text_of
from helpers.engine.rogue import AT_LENGTH, IN_WRITING, ROGUERY, Rogue
from nfmasq.helpers.engine.enabled import MOST_CUT_OFF
from nfmasq.helpers.engine.standing import MOST_EXPECTATIONS
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.helpers.kit.base import MOST_FOUND, Endpoint
from nfmasq.helpers.switches import Switch
from nfmasq.lab.waiting import wait_until

HERE = b"HERE " + text_of(CLIENT, 5000) + b"\r\n"
SAID = b"after all\r\n"


@pytest.fixture
def bed() -> Bed:
    return Bed(Rogue())


def counted(bed: Bed) -> HelperCounters:
    """What was counted of the helper."""
    return bed.engine.counters()["rogue"]


def expected(bed: Bed) -> int:
    """Expectations the core holds."""
    return sum(row.state == "expected" for row in bed.table.sessions())


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("word", ROGUERY)
def test_it_is_out_on_that_session_alone(bed: Bed, word: bytes, side: int) -> None:
    other = Connection(bed, near=NEAR_PORT + 1).open()
    rogue = Connection(bed).open()
    line = word + b"\r\n"
    assert rogue.say(side, line) == line
    assert (counted(bed).errors, expected(bed)) == (1, 0)
    assert rogue.say(0, HERE, at=0 if side else len(line)) == HERE
    assert rogue.say(1, SAID, at=len(line) if side else 0) == SAID
    assert (counted(bed).sessions, counted(bed).errors) == (1, 1)
    assert str(CLIENT).encode() not in other.say(0, HERE)
    assert expected(bed) == 1


@pytest.mark.parametrize("side", [0, 1])
def test_numbers_go_on_being_corrected(bed: Bed, side: int) -> None:
    rogue = Connection(bed).open()
    heard = rogue.say(0, HERE)
    ends = [len(HERE), 0]
    for each in (side, 0, 1):
        (packet,) = rogue.send(each, b"RAISE\r\n", at=ends[each], acked=len(heard) if each else 0)
        assert rogue.heard(each, packet) == (ends[each] if each else len(heard) + ends[0] - len(HERE))
        assert payload_of(packet) == b"RAISE\r\n"
        assert each == 0 or rogue.told(1, packet) == len(HERE)
        ends[each] += len(b"RAISE\r\n")
    assert counted(bed).errors == 1


@pytest.mark.parametrize("word", IN_WRITING)
def test_what_cannot_be_written_stays_and_is_not_expected(bed: Bed, word: bytes) -> None:
    rogue = Connection(bed).open()
    assert rogue.say(0, word + b"\r\n") == word + b"\r\n"
    assert (counted(bed).not_acted_on["too_long"], counted(bed).errors, expected(bed)) == (1, 0, 0)
    assert rogue.say(0, HERE, at=len(word) + 2) != HERE


def test_who_takes_nothing_is_let_go(bed: Bed) -> None:
    rogue = Connection(bed).open()
    text = b"x" * 1000
    heard = b"".join(rogue.say(1, text, at=1000 * nth) for nth in range(5))
    assert heard == text * 5
    assert (counted(bed).sessions, counted(bed).errors) == (0, 0)


def test_who_announces_without_end_keeps_a_few(bed: Bed) -> None:
    rogue, at, acked = Connection(bed).open(), 0, 0
    for nth in range(3000):
        line = b"HERE " + text_of(CLIENT, 2000 + nth) + b"\r\n"
        heard = rogue.say(0, line, at=at)
        assert str(CLIENT).encode() not in heard
        at, acked = at + len(line), acked + len(heard)
        rogue.send(1, acked=acked)
    assert 0 < expected(bed) <= MOST_EXPECTATIONS
    assert bed.engine.expectations() == expected(bed)
    other = Connection(bed, near=NEAR_PORT + 1).open()
    assert str(CLIENT).encode() not in other.say(0, HERE)


def test_as_many_as_may_be_found_at_once_are(bed: Bed) -> None:
    rogue = Connection(bed).open()
    lines = b"".join(b"HERE " + text_of(CLIENT, 2000 + nth) + b"\r\n" for nth in range(MOST_FOUND))
    assert str(CLIENT).encode() not in rogue.say(0, lines)
    assert counted(bed).errors == 0
    most = b"MANY".ljust(MOST_FOUND - 2, b".") + b"\r\n"
    assert Connection(bed, near=NEAR_PORT + 1).open().say(0, most) != most
    assert counted(bed).errors == 0
    more = b"." + most
    assert Connection(bed, near=NEAR_PORT + 2).open().say(0, more) == more
    assert counted(bed).errors == 1


class Thread:
    """An engine with its own thread: what loops is cut off."""

    def __init__(self) -> None:
        self.bed = Bed(Rogue())
        self.bed.engine.start()

    def open(self, near: int) -> Endpoint:
        """A session from CLIENT's port; its external endpoint."""
        self.send(tcp(CLIENT, near, SERVER, PORT))
        external = next(row.external for row in self.bed.table.sessions() if row.internal[1] == near)
        self.send(tcp(SERVER, PORT, *external, SYN | ACK), inbound=True)
        self.send(tcp(CLIENT, near, SERVER, PORT, ACK))
        return external

    def send(self, packet: bytes, *, inbound: bool = False) -> bytes:
        """What comes out for it."""
        before = len(self.bed.table.verdicts)
        self.bed.table.translate(packet, inbound=inbound)
        wait_until(lambda: len(self.bed.table.verdicts) > before, "a verdict", 10)
        verdict = self.bed.table.verdicts[-1]
        assert verdict is not None
        return verdict

    def say(self, side: int, near: int, external: Endpoint, payload: bytes) -> bytes:
        """What comes out for the first bytes a side says."""
        if side:
            return payload_of(self.send(tcp(SERVER, PORT, *external, ACK, payload=payload), inbound=True))
        return payload_of(self.send(tcp(CLIENT, near, SERVER, PORT, ACK, payload=payload)))


@pytest.fixture
def threaded() -> Iterator[Thread]:
    made = Thread()
    yield made
    made.bed.engine.stop()
    assert made.bed.engine.failure is None


@pytest.mark.parametrize(("word", "side"), [(b"LOOP", 0), (b"LOOP", 1), (b"WRITE", 0)])
def test_what_never_ends_is_cut_off(threaded: Thread, word: bytes, side: int) -> None:
    assert word in AT_LENGTH
    other, rogue = threaded.open(NEAR_PORT + 1), threaded.open(NEAR_PORT)
    assert threaded.say(side, NEAR_PORT, rogue, word + b"\r\n") == word + b"\r\n"
    assert counted(threaded.bed).errors == 1
    assert expected(threaded.bed) == 0
    assert threaded.say(0, NEAR_PORT + 1, other, HERE) != HERE
    assert threaded.bed.engine.states()["rogue"].switch == Switch(True)


def test_who_exits_ends_no_thread(threaded: Thread) -> None:
    for nth in range(MOST_CUT_OFF + 1):
        rogue = threaded.open(NEAR_PORT + nth)
        assert threaded.say(0, NEAR_PORT + nth, rogue, b"EXIT\r\n") == b"EXIT\r\n"
    assert threaded.say(0, 39999, threaded.open(39999), HERE) != HERE
