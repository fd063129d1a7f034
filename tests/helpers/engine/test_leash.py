"""Calls that take too long are cut off, and nothing is raised astray."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from nfmasq.helpers.engine.leash import Leash, TookTooLong

SHORT_S, LONG_S = 0.02, 0.2
"""Of processor time, and by the clock."""


@pytest.fixture
def leash() -> Iterator[Leash]:
    made = Leash(SHORT_S, LONG_S)
    made.start()
    yield made
    made.stop()


def spin() -> None:
    """Never return."""
    while True:
        pass


def stubborn() -> None:
    """Never return, and swallow every Exception."""
    while True:
        with suppress(Exception):
            spin()


@pytest.mark.parametrize("loop", [spin, stubborn])
def test_a_loop_is_cut_off(leash: Leash, loop: object) -> None:
    with pytest.raises(TookTooLong):
        leash.call(loop)  # type: ignore[arg-type]


def test_what_a_call_returns_and_raises_comes_through(leash: Leash) -> None:
    assert leash.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        leash.call(divmod, 7, 0)


def test_who_returns_late_took_too_long(leash: Leash) -> None:
    with pytest.raises(TookTooLong):
        leash.call(time.sleep, LONG_S * 2)


def test_who_only_waits_for_the_processor_does_not(leash: Leash) -> None:
    leash.call(time.sleep, SHORT_S * 3)


def busy(seconds: float) -> None:
    """Work for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def call_about_as_long_as_may_be(leash: Leash) -> int:
    """Make 150 calls that end a little before or after their time; return how many were cut off."""
    cut = 0
    for nth in range(150):
        try:
            leash.call(busy, SHORT_S * (0.9 + (nth % 20) / 40))
        except TookTooLong:
            cut += 1
        for _ in range(2000):
            pass
    return cut


def test_nothing_is_raised_after_a_call_that_ended_just_in_time(leash: Leash) -> None:
    assert 0 < call_about_as_long_as_may_be(leash) < 150


AFTERWARDS = """
import sys
from helpers.engine.test_leash import LONG_S, SHORT_S, busy, call_about_as_long_as_may_be
from nfmasq.helpers.engine.leash import Leash

leash = Leash(SHORT_S, LONG_S)
leash.start()
call_about_as_long_as_may_be(leash)
leash.stop()
sys.settrace(lambda *_: None)
busy(0)
print("done")
"""


def test_the_interpreter_is_not_left_looking_for_an_exception() -> None:
    """It would at every step, and CPython 3.11, while it traces, without end."""
    ended = subprocess.run(
        [sys.executable, "-c", AFTERWARDS],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("done\n", "")
