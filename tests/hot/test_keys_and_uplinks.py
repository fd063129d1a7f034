"""Calls with a key: by which address and uplink they go, and what they take of a host's limits."""

import pytest
from support.packets import GRE, TCP, call, portless, read, tcp
from support.router import (
    CLIENT,
    EXTERNAL,
    OTHER_EXTERNAL,
    OTHER_SERVER,
    SERVER,
    Router,
    policy,
)

from hot.calling import answering, begin, control
from nfmasq.core.policy import Forward, ForwardTarget, Uplink


def test_a_call_has_the_address_of_its_control_session() -> None:
    router = answering(external=(EXTERNAL, OTHER_EXTERNAL))
    seen = set()
    for host in list(policy().internal[0].hosts())[:8]:
        by = control(router, host)
        one = begin(router, by, 5, int(host) & 0xFFFF)
        assert one.inward.external[0] == by.external[0]
        assert one.out(router)[0] == by.external[0]
        assert one.into(router) == (host, 5)
        seen.add(by.external[0])
    assert seen == {EXTERNAL, OTHER_EXTERNAL}


def test_a_call_ends_with_its_external_address() -> None:
    router = answering()
    one = begin(router, control(router), 5, 100)
    one.out(router)
    router.table.configure(policy(external=(OTHER_EXTERNAL,)))
    assert router.rows() == []


def test_a_call_does_not_move_to_another_uplink() -> None:
    uplinks = Uplink.pool(EXTERNAL, index=7), Uplink.pool(OTHER_EXTERNAL, index=8)
    router = answering(uplinks=uplinks)
    one = begin(router, control(router), 5, 100)
    assert one.out(router) == (EXTERNAL, 100)
    assert router.try_out(call(CLIENT, SERVER, 100), device=8)[0] == "other_uplink"
    assert one.out(router) == (EXTERNAL, 100)


def two_uplinks() -> Router:
    """A router whose uplinks 7 and 8 have EXTERNAL and OTHER_EXTERNAL."""
    return answering(uplinks=(Uplink.pool(EXTERNAL, index=7), Uplink.pool(OTHER_EXTERNAL, index=8)))


@pytest.mark.parametrize("key", [5, 0])
def test_a_call_that_nobody_announced_begins_anew_by_another_uplink(key: int) -> None:
    router = two_uplinks()
    packet = call(CLIENT, SERVER, key)
    assert [read(router.out(packet, device=device)).source for device in (7, 8, 8, 7)] == [
        EXTERNAL,
        OTHER_EXTERNAL,
        OTHER_EXTERNAL,
        EXTERNAL,
    ]
    assert len(router.rows()) == 1


def test_a_call_that_nobody_announced_goes_out_by_no_address_that_is_away() -> None:
    router = answering()
    router.out(call(CLIENT, SERVER, 5))
    router.table.configure(policy(external=()))
    plain, keyed = (
        router.try_out(packet)[0]
        for packet in (portless(CLIENT, SERVER, GRE, bytes(8)), call(CLIENT, SERVER, 5))
    )
    assert keyed == plain == "no_external_address"


def test_calls_take_nothing_of_what_strangers_may_begin() -> None:
    """What comes in by a call is never answered by the same key."""
    forward = Forward(TCP, None, (80, 80), (ForwardTarget(CLIENT, (80, 80)),))
    router = answering(capacity=256, sessions_per_host=16, forwards=(forward,))
    by = control(router)
    calls = [begin(router, by, own, 100 + own) for own in range(6)]
    assert [each.into(router) for each in calls] == [(CLIENT, each.own) for each in calls]
    assert router.into(tcp(OTHER_SERVER, 40000, EXTERNAL, 80))
    for each in calls:
        each.out(router)
        for half in (each.inward, each.outward):
            assert router.table.end(half.session, half.serial)
    assert [router.try_in(tcp(OTHER_SERVER, port, EXTERNAL, 80))[0] for port in range(5000, 5008)] == (
        [""] * 7 + ["host_sessions_full"]
    )
