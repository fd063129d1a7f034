"""What a control session announced, and which endpoints a later message may refer to."""

from support.router import CLIENT, SERVER

from nfmasq.helpers.engine.announced import MOST_REMEMBERED, Announced, Expectation, owned
from nfmasq.helpers.kit.base import Endpoint, Session

SESSION = Session((CLIENT, 40000), (CLIENT + 1000, 40000), (SERVER, 7000), True)


def outside(port: int) -> Endpoint:
    """An external endpoint."""
    return CLIENT + 1000, port


def test_both_ways_are_remembered() -> None:
    known = Announced(SESSION, 1)
    known.remember("udp", (CLIENT, 5000), outside(7000))
    assert known.by_internal["udp", 5000] == outside(7000)
    assert known.original("udp", *outside(7000)) == (CLIENT, 5000)
    assert known.original("", *outside(7000)) == (CLIENT, 5000)
    assert known.original("tcp", *outside(7000)) is None
    assert known.original("udp", CLIENT, 7000) is None


def test_the_oldest_is_forgotten_on_both_sides() -> None:
    known = Announced(SESSION, 1)
    forgotten = []
    for nth in range(MOST_REMEMBERED + 1):
        forgotten += known.remember("udp", (CLIENT, 5000 + nth), outside(7000 + nth))
    assert forgotten == [owned("udp", outside(7000))]
    assert len(known.by_internal) == len(known.by_external) == MOST_REMEMBERED


def test_what_still_stands_is_not_forgotten() -> None:
    """An exchange has all its calls on one control session."""
    known = Announced(SESSION, 1)
    for nth in range(3 * MOST_REMEMBERED):
        known.remember("udp", (CLIENT, 5000 + nth), outside(7000 + nth))
        if nth % 2 == 0:
            known.note((nth, 1), Expectation("udp", (CLIENT, 5000 + nth), outside(7000 + nth), True, 0, None))
    assert all(("udp", 5000 + nth) in known.by_internal for nth in range(0, 3 * MOST_REMEMBERED, 2))
    for nth in range(0, 3 * MOST_REMEMBERED, 2):
        known.forget((nth, 1))
    forgotten = known.remember("udp", (CLIENT, 4000), outside(6000))
    assert owned("udp", outside(7000)) in forgotten
    assert len(known.by_internal) == len(known.by_external) == MOST_REMEMBERED


def test_an_endpoint_that_is_announced_again_is_the_newest() -> None:
    known = Announced(SESSION, 1)
    for nth in [*range(MOST_REMEMBERED), 0, MOST_REMEMBERED]:
        known.remember("udp", (CLIENT, 5000 + nth), outside(7000 + nth))
    assert ("udp", 5000) in known.by_internal
    assert ("udp", 5001) not in known.by_internal


def test_with_another_external_endpoint_the_old_one_is_nobody_s() -> None:
    known = Announced(SESSION, 1)
    known.remember("udp", (CLIENT, 5000), outside(7000))
    assert known.remember("udp", (CLIENT, 5000), outside(7001)) == [owned("udp", outside(7000))]
    assert known.original("udp", *outside(7000)) is None


def test_the_newest_expectation_of_a_port() -> None:
    known = Announced(SESSION, 1)
    begun, waits = (Expectation("udp", (CLIENT, 5000), outside(7000), True, 0, note) for note in "ab")
    assert known.newest("udp", 5000) is None
    known.note((1, 1), begun)
    known.data[1, 1] = known.waiting.pop((1, 1))
    assert (known.newest("udp", 5000), known.ends_data) == (begun, True)
    known.note((2, 1), waits)
    assert known.newest("udp", 5000) == waits
    assert known.newest("tcp", 5000) is None
