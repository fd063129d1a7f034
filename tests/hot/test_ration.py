"""Who goes short when more packets come than can be served: batches as from a queue that never empties."""

from ipaddress import IPv4Address

import pytest

from nfmasq._fastpath import REASONS

from .packets import udp
from .router import CLIENT, OTHER_CLIENT, SERVER, Router

BATCH = 64
FLOOD = udp(CLIENT, 40000, SERVER, 9)
QUIET = udp(OTHER_CLIENT, 40000, SERVER, 53)
SOON = BATCH * 400
"""Packets after which a flood has been noticed, and the odds have settled."""


@pytest.fixture
def router() -> Router:
    return Router()


def dropped(router: Router) -> int:
    """Packets dropped because a queue was overrun."""
    return router.table.counters().dropped[REASONS.index("queue_overrun")]


def got_through(router: Router) -> dict[IPv4Address, int]:
    """Packets that went out, by the internal host."""
    return {row.internal[0]: row.packets_out for row in router.rows()}


def beside(flood: list[bytes], one_in: int) -> list[bytes]:
    """A flood with a quiet host's packet among so many."""
    return [QUIET if nth % one_in == 0 else packet for nth, packet in enumerate(flood)]


def test_a_flood_goes_short_and_nobody_else(router: Router) -> None:
    packets = beside([FLOOD] * SOON, 50)
    router.table.pace(packets, batch=BATCH, rationed=True)
    assert dropped(router) > SOON // 3
    through = got_through(router)
    assert through[OTHER_CLIENT] == packets.count(QUIET)
    assert through[CLIENT] + dropped(router) == packets.count(FLOOD)


def test_some_of_a_flood_gets_through_always(router: Router) -> None:
    router.table.pace(beside([FLOOD] * SOON, 50), batch=BATCH, rationed=True)
    before = dropped(router)
    router.table.pace(beside([FLOOD] * SOON, 50), batch=BATCH, rationed=True)
    assert before < dropped(router) < before + SOON * 49 // 50


def test_who_is_alone_is_not_cut(router: Router) -> None:
    router.table.pace([FLOOD] * SOON, batch=BATCH, rationed=True)
    assert dropped(router) == 0


def test_others_are_remembered_for_a_while(router: Router) -> None:
    """Somebody types a letter now and then."""
    router.table.pace(beside([FLOOD] * SOON, SOON // 4), batch=BATCH, rationed=True)
    assert dropped(router) > SOON // 3
    assert got_through(router)[OTHER_CLIENT] == 4


def test_flows_that_send_alike_are_not_cut(router: Router) -> None:
    router.table.pace(
        [udp(CLIENT, 40000 + nth % 40, SERVER, 9) for nth in range(SOON)], batch=BATCH, rationed=True
    )
    assert dropped(router) == 0


def test_runs_of_packets_of_flows_that_send_alike_are_not_taken_for_a_flood(router: Router) -> None:
    runs = [udp(CLIENT, 40000 + nth // 30 % 20, SERVER, 9) for nth in range(SOON)]
    router.table.pace(runs, batch=BATCH, rationed=True)
    assert dropped(router) == 0


def test_a_queue_that_empties_is_not_overrun(router: Router) -> None:
    router.table.pace(beside([FLOOD] * SOON, 50), batch=BATCH - 1, rationed=True)
    assert dropped(router) == 0


def test_a_flood_that_is_over_is_forgotten(router: Router) -> None:
    router.table.pace(beside([FLOOD] * SOON, 50), batch=BATCH, rationed=True)
    router.table.pace(beside([FLOOD] * SOON, 50), batch=1, rationed=True)
    before = dropped(router)
    router.table.pace(beside([FLOOD] * BATCH * 16, 50), batch=BATCH, rationed=True)
    assert dropped(router) == before
