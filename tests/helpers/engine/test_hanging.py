"""A helper that never comes back from a call that cannot be cut off: what waits for it, and for how long."""

import time
from collections.abc import Iterator

import pytest
from support.packets import ACK, SYN, tcp

from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, SERVER, Bed
from helpers.engine.here import HANGING, HERE, HI
from nfmasq.helpers.engine import thread
from nfmasq.helpers.engine.thread import Engine
from nfmasq.helpers.switches import Switch
from nfmasq.lab.waiting import wait_until

SOON_S = 1.5


@pytest.fixture
def bed() -> Iterator[Bed]:
    """A bed whose engine hangs in a helper, with one packet unanswered."""
    HANGING.clear()
    made = Bed()
    made.engine.start()
    say(made, NEAR_PORT, HI + b"HANG\r\n", 2)
    wait_until(lambda: made.engine._reader.leash.lasts_s, "the helper to be called")
    yield made
    HANGING.set()
    made.engine.stop()
    made.engine._thread.join()


def say(bed: Bed, near: int, payload: bytes, answered: int) -> None:
    """Shake hands, and say something."""
    bed.table.translate(tcp(CLIENT, near, SERVER, PORT))
    external = next(row.external for row in bed.table.sessions() if row.internal == (CLIENT, near))
    bed.table.translate(tcp(SERVER, PORT, *external, SYN | ACK), inbound=True)
    bed.table.translate(tcp(CLIENT, near, SERVER, PORT, ACK, payload=payload))
    wait_until(lambda: len(bed.table.verdicts) == answered, "the verdicts")


def test_it_is_stopped_in_time_and_its_packet_dropped(bed: Bed) -> None:
    began = time.monotonic()
    bed.engine.stop(0.5)
    assert time.monotonic() - began < SOON_S
    assert bed.table.verdicts[2:] == [None]


def test_one_left_behind_touches_nothing_when_it_comes_back(bed: Bed) -> None:
    bed.table.translate(tcp(CLIENT, 50000, SERVER, PORT))
    bed.engine.stop(0.5)
    HANGING.set()
    bed.engine._thread.join()
    assert len(bed.table.verdicts) == 3
    assert bed.table.let == []
    assert bed.table.next_set_aside(0) is not None
    assert bed.engine.failure is None


def test_a_switch_is_set_without_waiting_for_it(bed: Bed) -> None:
    began = time.monotonic()
    bed.engine.set_enabled("here", False)
    assert time.monotonic() - began < SOON_S
    assert bed.engine.states()["here"].switch == Switch(True)
    HANGING.set()
    bed.table.translate(tcp(CLIENT, 50000, SERVER, PORT))
    wait_until(lambda: bed.engine.states()["here"].switch == Switch(False), "the switch to be set")
    wait_until(lambda: bed.table.let == [(1, 1)], "the connection to be let go")


def test_who_hangs_is_named_when_it_should_have_been_cut_off(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bed.engine.hangs_in == ""
    monkeypatch.setattr(thread, "AT_ALL_S", 0.0)
    monkeypatch.setattr(thread, "CUT_OFF_WITHIN_S", 0.0)
    assert bed.engine.hangs_in == "here"


def test_another_engine_goes_on_with_the_rest(bed: Bed) -> None:
    bed.engine.stop(0.0)
    other = Engine(bed.table, bed.registry, remainder=bed.remainder, takes_over=True)
    other.start()
    try:
        say(bed, NEAR_PORT + 1, HI + HERE, 6)
        assert bed.table.verdicts[2] is None
        assert bed.table.verdicts[-1] is not None
        assert not bed.table.verdicts[-1].endswith(HI + HERE)
        HANGING.set()
        bed.engine._thread.join()
        assert len(bed.table.verdicts) == 6
    finally:
        other.stop()
