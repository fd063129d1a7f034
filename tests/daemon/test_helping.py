"""The helpers' engine under the daemon's eyes: fed switches and reloads, replaced when it fails."""

from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest
from support.behind import CLIENT, INTERNAL, OTHER_CLIENT, filled

from nfmasq.config import Config, parse
from nfmasq.daemon.helping import LOOKS, MOST_FAILURES, Helping
from nfmasq.helpers.engine.thread import Engine
from nfmasq.lab.waiting import wait_until

GUESTS = IPv4Network("192.168.2.0/24")


def configured(**tables: object) -> Config:
    """A configuration with these tables."""
    return parse({"nat": {"internal": ["lan0"], "external": "wan0"}, **tables})


@pytest.fixture
def helping() -> Iterator[Helping]:
    """Helpers of a table, their thread running."""
    made = Helping(configured(), filled())
    made.start()
    yield made
    made.stop()


def fail(helping: Helping) -> Engine:
    """Let its engine fail, and return it."""
    engine = helping._engine

    def broken() -> None:
        raise RuntimeError("made to fail")

    engine.tick = broken  # type: ignore[method-assign]
    wait_until(lambda: engine.failure is not None, "the engine to fail")
    return engine


def test_a_change_reaches_the_engine_and_the_core(helping: Helping) -> None:
    assert len(helping.ports((INTERNAL,))) == 1
    helping.set_enabled("ftp", False, IPv4Network(f"{CLIENT}/32"))
    switch = helping._engine.states()["ftp"].switch
    assert (switch.enabled_for(CLIENT), switch.enabled_for(OTHER_CLIENT)) == (False, True)
    (port,) = helping.ports((INTERNAL,))
    assert not any(CLIENT in network for network in port.networks)
    assert any(OTHER_CLIENT in network for network in port.networks)
    helping.set_enabled("ftp", False, None)
    assert helping.ports((INTERNAL,)) == ()


def test_a_reload_reaches_the_engine(helping: Helping) -> None:
    helping.set_enabled("ftp", False, None)
    network = {"cidr": str(GUESTS), "helpers": {"ftp": False}}
    helping.adopt(configured(network=[network], timeouts={"expectation": "90s"}))
    assert helping._engine.states()["ftp"].switch == helping.board.entries["ftp"].switch
    assert helping._engine.states()["ftp"].switch.networks == ((GUESTS, False),)
    wait_until(lambda: helping._engine._expectations.seconds == 90, "the engine's next tick")


def test_an_engine_that_fails_is_replaced_and_the_status_tells(helping: Helping) -> None:
    helping.set_enabled("irc", True, None)
    failed = fail(helping)
    assert len(helping.ports((INTERNAL,))) == 2
    assert helping._engine is not failed
    assert helping._engine.states()["irc"].switch.anywhere
    assert helping.problems() == ["the helpers' thread failed and was started again; the log says why"]


def test_one_that_fails_again_and_again_gets_no_sessions(helping: Helping) -> None:
    for _ in range(MOST_FAILURES):
        fail(helping)
        assert helping.ports((INTERNAL,))
    fail(helping)
    assert helping.ports((INTERNAL,)) == ()
    (problem,) = helping.problems()
    assert "made to fail" in problem
    assert "sessions pass without helpers" in problem


def test_one_that_hangs_gets_no_sessions_until_it_runs_again(helping: Helping) -> None:
    def looks() -> bool:
        for _ in range(LOOKS + 1):
            helping.beat()
        return bool(helping.problems())

    def look() -> bool:
        helping.beat()
        return bool(helping.problems())

    with helping._engine._lock:
        wait_until(looks, "the engine to be stuck")
        assert helping.problems() == ["the helpers' thread is stuck; new sessions pass without helpers"]
        assert helping.ports((INTERNAL,)) == ()
    wait_until(lambda: not look(), "the engine to run")
    assert helping.ports((INTERNAL,))


def test_a_helper_the_engine_disables_is_disabled_in_the_core_too(helping: Helping) -> None:
    engine = helping._engine
    with engine._lock:
        engine._enabled.problems["ftp"] = "it took too long"
    assert helping.ports((INTERNAL,)) == ()
    assert not helping.board.entries["ftp"].switch.anywhere
    assert helping.problems() == ["the helper ftp is disabled: it took too long"]
    helping.set_enabled("ftp", True, None)
    assert helping.problems() == []
    assert helping.ports((INTERNAL,))
