"""The system's own network programs, run with their answers read as data."""

import pytest

from nfmasq.machine import programs
from nfmasq.machine.programs import Outcome, run


def test_a_program_gets_its_script_and_answers_with_its_output() -> None:
    done = run("cat", script="flush\n")
    assert (done.good, done.output) == (True, "flush\n")


def test_a_program_that_is_not_installed_is_an_outcome() -> None:
    done = run("no-such-program")
    assert (done.code, done.complaint) == (127, "the program no-such-program is not installed")


def test_a_program_that_hangs_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_SECONDS", 0.1)
    done = run("sleep", "5")
    assert done.code == 124
    assert "did not end within" in done.complaint


@pytest.mark.parametrize(
    ("errors", "complaint"),
    [
        ("warning: old\nError: no such table\n", "Error: no such table"),
        ("odd\nodder\n", "odd"),
        ("", "ended with code 1"),
    ],
)
def test_the_complaint_is_the_line_that_says_what_was_wrong(errors: str, complaint: str) -> None:
    assert Outcome(1, "", errors).complaint == complaint
