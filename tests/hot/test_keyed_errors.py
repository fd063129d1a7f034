"""ICMP errors about the packets of calls: each end reads of what it has sent."""

import pytest
from support.packets import (
    GRE,
    call,
    error,
    key_of,
    quote_of,
    read,
    sums_are_right,
)
from support.router import (
    EXTERNAL,
    HOP,
    OTHER_CLIENT,
    SERVER,
)

from hot.calling import answering, begin, control


@pytest.mark.parametrize("quoted", [8, 16, 24])
def test_an_error_about_what_a_client_sent_comes_back_to_it(quoted: int) -> None:
    router = answering()
    begin(router, control(router), 100, 5)
    two = begin(router, control(router, OTHER_CLIENT), 100, 6)
    two.out(router)
    sent = router.out(call(OTHER_CLIENT, SERVER, 6))
    came = router.into(error(HOP, EXTERNAL, sent[: 20 + quoted]))
    assert sums_are_right(came)
    assert read(came).destination == OTHER_CLIENT
    assert quote_of(came)[12:20] == OTHER_CLIENT.packed + SERVER.packed
    assert key_of(quote_of(came)) == 6


def test_an_error_about_what_a_server_sent_goes_back_with_the_key_that_it_sent() -> None:
    router = answering()
    begin(router, control(router), 5, 100)
    two = begin(router, control(router, OTHER_CLIENT), 5, 101)
    came = router.into(call(SERVER, EXTERNAL, two.external))
    sent = router.out(error(OTHER_CLIENT, SERVER, came[:28]))
    assert sums_are_right(sent)
    assert read(sent)[::2] == (EXTERNAL, SERVER)
    assert quote_of(sent)[12:20] == SERVER.packed + EXTERNAL.packed
    assert key_of(quote_of(sent)) == two.external != 5


def test_an_error_that_quotes_too_little_belongs_to_no_call() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    one.out(router)
    sent = call(EXTERNAL, SERVER, 100)
    assert router.passed(error(HOP, EXTERNAL, sent[:27]), inbound=True)


def test_an_error_begins_no_call() -> None:
    router = answering()
    begin(router, control(router), 5, 100)
    assert router.passed(error(HOP, EXTERNAL, call(EXTERNAL, SERVER, 100)[:28]), inbound=True)
    assert {row.state for row in router.rows() if row.protocol == GRE} == {"expected"}
