"""Waiting: until a deadline, which a slow machine may put off."""

import pytest

from nfmasq.lab.waiting import SLOWNESS, patient, wait_until


def test_it_ends_when_the_condition_holds() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), "the third answer", pause=0) < 5


@pytest.mark.parametrize(("slowness", "seconds"), [("", 2), ("10", 20), ("1.5", 3)])
def test_a_slow_machine_has_more_time(monkeypatch: pytest.MonkeyPatch, slowness: str, seconds: float) -> None:
    monkeypatch.setenv(SLOWNESS, slowness)
    assert patient(2) == seconds


def test_the_deadline_is_told_with_what_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SLOWNESS, "10")
    with pytest.raises(TimeoutError, match=r"waited 0\.2 s for nothing"):
        wait_until(lambda: False, "nothing", 0.02)
