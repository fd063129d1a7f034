"""Calls of two internal hosts that reach each other by an external address: keys when hairpinned."""

from ipaddress import IPv4Address
from typing import NamedTuple

import pytest
from support.packets import (
    TCP,
    call,
    error,
    key_of,
    quote_of,
    read,
    sums_are_right,
    tcp,
)
from support.router import (
    CLIENT,
    EXTERNAL,
    INNER_ROUTER,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    SERVER,
    Router,
    policy,
)

from hot.calling import HELPER, PPTP, Call, announce
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget
from nfmasq.core.protocols import INWARD, OUTWARD


class Inside(NamedTuple):
    """A call of CLIENT with OTHER_CLIENT, which is reached by a forward. client, server: as either has it."""

    router: Router
    client: Call
    server: Call


def calling_inside(own: int, theirs: int, others: int = -1) -> Inside:
    """own, theirs: the keys of CLIENT and of OTHER_CLIENT. others: one that another call has taken before."""
    forward = Forward(TCP, None, (PPTP, PPTP), (ForwardTarget(OTHER_CLIENT, (PPTP, PPTP)),))
    router = Router(policy(device=7, helper_ports=(HELPER,), forwards=(forward,)))
    router.table.hairpin(tcp(CLIENT, 40000, EXTERNAL, PPTP), now=router.now)
    aside = router.table.next_set_aside(0)
    assert aside is not None
    assert aside.receiver is not None
    server = aside.receiver
    if others >= 0:
        announce(router, aside._replace(internal=(INNER_ROUTER, 0)), others, INWARD)
    halves = announce(router, aside, own, INWARD)
    receiver = aside._replace(
        session=server.session, serial=server.serial, internal=server.internal, remote=server.remote
    )
    other_halves = announce(router, receiver, theirs, INWARD)
    key, other_key = halves.external[1], other_halves.external[1]
    return Inside(
        router,
        Call(CLIENT, EXTERNAL, own, other_key, halves, announce(router, aside, other_key, OUTWARD)),
        Call(OTHER_CLIENT, EXTERNAL, theirs, key, other_halves, announce(router, receiver, key, OUTWARD)),
    )


def crossed(router: Router, speaker: Call) -> tuple[IPv4Address, IPv4Address, int]:
    """What a packet of a call has become when it reaches the other host: source, destination and key."""
    reason, came = router.table.hairpin(call(speaker.host, EXTERNAL, speaker.theirs), now=router.now)
    assert reason == ""
    return read(came).source, read(came).destination, key_of(came)


@pytest.mark.parametrize(("own", "theirs"), [(5, 9), (5, 5), (0, 0), (0, 1), (0x0101, 0x0202)])
def test_two_internal_hosts_call_each_other_by_the_external_address(own: int, theirs: int) -> None:
    router, client, server = calling_inside(own, theirs)
    for _ in range(2):
        assert crossed(router, client) == (EXTERNAL, OTHER_CLIENT, theirs)
        assert crossed(router, server) == (EXTERNAL, CLIENT, own)


def test_they_do_so_when_a_third_host_has_the_key_already() -> None:
    router, client, server = calling_inside(5, 9, others=9)
    assert client.theirs != 9
    assert crossed(router, client) == (EXTERNAL, OTHER_CLIENT, 9)
    assert crossed(router, server) == (EXTERNAL, CLIENT, 5)


def test_an_error_between_them_quotes_what_its_receiver_had_sent() -> None:
    router, client, server = calling_inside(5, 9, others=9)
    crossed(router, client)
    crossed(router, server)
    came = router.table.hairpin(call(CLIENT, EXTERNAL, client.theirs), now=router.now)[1]
    reason, back = router.table.hairpin(error(OTHER_CLIENT, EXTERNAL, came[:28]), now=router.now)
    assert reason == ""
    assert sums_are_right(back)
    assert read(back)[::2] == (EXTERNAL, CLIENT)
    assert quote_of(back)[12:20] == CLIENT.packed + EXTERNAL.packed
    assert key_of(quote_of(back)) == client.theirs


def test_calls_inside_that_nobody_announced_still_go_by_their_addresses() -> None:
    forward = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(OTHER_CLIENT),))
    router = Router(policy(external=(EXTERNAL, OTHER_EXTERNAL), device=7, forwards=(forward,)))
    own = read(router.out(call(CLIENT, SERVER, 1), device=7)).source
    (other,) = {EXTERNAL, OTHER_EXTERNAL} - {own}
    for key in (77, 78):
        reason, came = router.table.hairpin(call(CLIENT, other, key), now=router.now)
        assert reason == ""
        assert (read(came)[::2], key_of(came)) == ((own, OTHER_CLIENT), key)
