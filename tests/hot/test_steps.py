"""Calls that treat many records do so in steps: packets of others are translated in between."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.packets import read, udp
from support.router import CLIENT, LAN, OTHER_CLIENT, OTHER_EXTERNAL, SERVER, Router, policy
from support.whole import assert_whole

from nfmasq.core.policy import Timeouts
from nfmasq.lab.waiting import wait_until

MANY = 20_000
STEP = 1024
"""Records under one holding of the lock: nfmasq/_hot/calls/steps.pxd."""
LATE = 10_000
"""Seconds after which every timer has run out."""

Call = Callable[[Router], object]

ENDING: dict[str, Call] = {
    "its address is lost": lambda router: router.table.configure(
        policy(sessions=2 * MANY, external=(OTHER_EXTERNAL,))
    ),
    "flush": lambda router: router.table.flush(),
    "flush of a host": lambda router: router.table.flush(CLIENT),
    "expire": lambda router: router.table.expire(router.now + LATE),
}
KEEPING: dict[str, Call] = {
    "other ports": lambda router: router.table.configure(policy(sessions=2 * MANY, ports=((1, 60_000),))),
    "one address more": lambda router: router.table.configure(
        policy(sessions=2 * MANY, external=(*router_addresses(router), OTHER_EXTERNAL))
    ),
    "other timeouts": lambda router: router.table.configure(
        policy(sessions=2 * MANY, timeouts=Timeouts(udp=500))
    ),
}


def router_addresses(router: Router) -> tuple[object, ...]:
    """The external addresses in use."""
    return tuple({row.external[0] for row in router.table.mappings(limit=1)})


def many_sessions() -> Router:
    """A router with many sessions of CLIENT."""
    router = Router(policy(sessions=2 * MANY), capacity=2 * MANY)
    for number in range(MANY):
        router.out(udp(CLIENT, 10_000 + number, SERVER, 80))
    return router


ROUNDS = {"its address is lost": 2, "one address more": 2}
"""Of calls that go through all records more than once, how often: mappings, and then sessions."""


@pytest.mark.parametrize("call", [*ENDING, *KEEPING])
def test_the_lock_is_let_go_after_every_step(call: str) -> None:
    """As many holdings as there are steps: fewer would show that one of them is longer."""
    router = many_sessions()
    router.table.watch_lock()
    (ENDING | KEEPING)[call](router)
    steps = ROUNDS.get(call, 1) * -(-MANY // STEP)
    assert steps <= router.table.lock_times().batches <= steps + 1
    assert sum(router.table.gauges().sessions) == (0 if call in ENDING else MANY)
    assert_whole(router.table)


@pytest.mark.parametrize("call", ["same policy", "flush", "expire"])
def test_nothing_to_do_takes_the_lock_once(call: str) -> None:
    router = Router()
    router.table.watch_lock()
    calls: dict[str, Call] = ENDING | {"same policy": lambda router: router.table.configure(policy())}
    calls[call](router)
    assert router.table.lock_times().batches == 1


@contextmanager
def sending(router: Router) -> Iterator[list[bool]]:
    """Another host begins sessions meanwhile; whether any began while the call was half done."""
    stop = threading.Event()
    seen: list[bool] = []

    def half_done() -> bool:
        return 1000 < sum(router.table.gauges().sessions) < MANY

    def send() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            before = half_done()
            reason, _ = router.table.translate(
                udp(OTHER_CLIENT, 1 + number % 500, SERVER, 80), now=router.now
            )
            seen.append(before and reason == "" and half_done())

    sender = threading.Thread(target=send)
    sender.start()
    wait_until(lambda: seen, "the first packet")
    try:
        yield seen
    finally:
        stop.set()
        sender.join()


@pytest.mark.parametrize("call", ENDING)
def test_packets_are_translated_between_the_steps(call: str) -> None:
    """Not by luck: a lock that is taken again immediately leaves the others next to none of it."""

    def meanwhile() -> bool:
        router = many_sessions()
        with sending(router) as seen:
            ENDING[call](router)
        assert_whole(router.table)
        return any(seen)

    wait_until(lambda: all(meanwhile() for _ in range(4)), "packets between the steps, each time")


def test_a_session_that_begins_between_the_steps_of_a_flush_may_stay() -> None:
    """The flush is not for a session that begins after it, and no record is left half ended."""
    router = many_sessions()
    with sending(router):
        router.table.flush()
    for host in LAN.hosts():
        assert host in {CLIENT, OTHER_CLIENT} or router.out(udp(host, 40_000, SERVER, 80))
    assert {row.internal[0] for row in router.rows()} >= {LAN[1], LAN[2]}
    assert CLIENT not in {row.internal[0] for row in router.rows()}
    assert_whole(router.table)


def test_a_packet_of_every_session_goes_on_while_ports_and_timeouts_change() -> None:
    router = many_sessions()
    near = {row.internal[1]: row.external[1] for row in router.rows()}
    stop, wrong = threading.Event(), []

    def send() -> None:
        number = 0
        while not stop.is_set():
            number = (number + 7919) % MANY
            _, sent = router.table.translate(udp(CLIENT, 10_000 + number, SERVER, 80), now=router.now)
            if not sent or read(sent).source_port != near[10_000 + number]:
                wrong.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    for number in range(20):
        ports = ((1024 + number, 40_000 + number),)
        router.table.configure(policy(sessions=2 * MANY, ports=ports, timeouts=Timeouts(udp=300 + number)))
    stop.set()
    sender.join()
    assert wrong == []
    assert_whole(router.table)
