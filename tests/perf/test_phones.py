"""What phones cost: judged by steps of the interpreter, which are the same on the busiest machine."""

import pytest

from perf import phones
from perf.control import HOSTS
from perf.phones import LINES, Phone, phone_cost

FIRST = HOSTS.network_address + 1
MOST_STEPS = {
    "register": 5700, "registered": 4700, "ringing": 3300, "invite": 8400, "answer": 6300, "bye": 4100,
}  # fmt: skip
"""A tenth more than they take."""
MOST_HOSTILE_STEPS = 260_000
"""Some 5 ms."""
MOST_BYTES_OF_A_PHONE = 10_000


def test_a_call_is_translated_and_its_media_end_with_it() -> None:
    router = phones.router(100)
    phone = Phone(router, FIRST)
    costs = phone.registering | phone.call()
    assert costs.keys() == LINES.keys()
    counters = router.engine.counters()["sip"]
    assert (counters.errors, sum(counters.not_acted_on.values())) == (0, 0)
    assert counters.rewritten == 2 + 3 + 4 + 2 + 2 + 2 + 2 + 2, "endpoints of each message in turn"
    assert router.engine.expectations() == 0


def test_a_registered_phone_holds_one_session_for_as_long_as_the_registrar_says() -> None:
    router = phones.router(100)
    for nth in range(3):
        Phone(router, FIRST + nth)
    expires = [row.expires_s for row in router.table.sessions()]
    assert len(expires) == 3
    assert all(3600 < each <= 3632 for each in expires)


def test_a_message_that_no_helper_gets_is_an_error_and_not_a_figure() -> None:
    with pytest.raises(RuntimeError, match="the helper did not get"):
        Phone(phones.router(100), HOSTS.network_address - 1)


def test_it_is_measured_in_a_program_of_its_own() -> None:
    cost = phone_cost(10)
    assert cost.phones == 10
    assert min(getattr(cost, name) for name in (*LINES, "hostile")) > 0


def test_no_message_takes_more_steps() -> None:
    taken = phones.steps()
    assert taken.keys() == MOST_STEPS.keys()
    assert not {name: steps for name, steps in taken.items() if steps > MOST_STEPS[name]}
    assert taken["invite"] > taken["ringing"] > 1000, "all of it is counted"


def test_64_kb_of_hostile_bytes_take_few_steps() -> None:
    taken = list(phones.hostile_steps())
    assert len(taken) > 100
    assert not [(text, steps) for text, steps in taken if steps > MOST_HOSTILE_STEPS]


def test_a_registered_phone_takes_little_memory() -> None:
    """10,000 of them take 100 MB at most; the core's table is included."""
    assert phone_cost(1000).memory < 1000 * MOST_BYTES_OF_A_PHONE
