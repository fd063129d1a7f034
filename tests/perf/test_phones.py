"""What phones cost, measured in its shortest form; no figure is judged."""

import pytest

from perf import phones
from perf.control import HOSTS
from perf.phones import LINES, Phone, phone_cost

FIRST = HOSTS.network_address + 1


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
