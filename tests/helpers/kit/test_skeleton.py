"""The helper to copy does what it says, and keeps the contract like any other."""

import pytest
from support.dialogues import CLIENT, IN, OUT, endpoints, hear, written

from nfmasq.helpers.kit import base, trial
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.kit.skeleton import Meet

GREETING = ((IN, b"HELLO\r\n"), (OUT, b"HELLO\r\n"))


@pytest.mark.parametrize("clause", trial.CLAUSES, ids=trial.name_of)
def test_contract(clause: trial.Clause) -> None:
    """As a helper's author would run it."""
    clause(Meet())


def test_the_endpoint_is_found_and_written() -> None:
    """In its line, which stays as it is around it."""
    said = [*GREETING, (IN, b"MEET 192.168.1.10 5000\r\n")]
    heard = hear(Meet(), said)
    assert endpoints(heard) == [(str(CLIENT), 5000)]
    assert written(heard, said)[-1] == (IN, b"MEET 203.0.113.2 40000\r\n")


@pytest.mark.parametrize(
    "line", [b"MEET 192.168.1.256 5000\r\n", b"MEET 192.168.1.10 65536\r\n", b"MEET x 1\r\n"]
)
def test_what_is_no_endpoint_is_left_alone(line: bytes) -> None:
    """Numbers do not wrap."""
    assert not hear(Meet(), [*GREETING, (IN, line)]).places


def test_a_stranger_on_the_port_loses_the_helper() -> None:
    """What does not greet is something else, for good."""
    assert hear(Meet(), [(IN, b"POST / HTTP/1.1\r\nMEET 192.168.1.10 5000\r\n")]).left
    assert hear(Meet(), [(IN, b"x" * 600)]).left


def test_a_helper_may_use_the_older_names_of_what_is_not_acted_on() -> None:
    assert (base.Refusal, base.REFUSALS) == (base.NotActedOn, base.NOT_ACTED_ON)
    reading = base.Reading(4, refused=["malformed"])
    assert reading == base.Reading(4, not_acted_on=["malformed"])
    listener = Listener(Meet(), True)
    listener.not_acted_on.append("malformed")
    assert listener.refused == ["malformed"]
