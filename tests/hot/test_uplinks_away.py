"""Ports of an uplink that is away: they stay its sessions', and take nothing of a host's share elsewhere."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.packets import tcp, udp
from support.router import CLIENT, OTHER_CLIENT, SERVER, Router, policy
from support.whole import assert_whole

from hot.restarting import restarted
from nfmasq.core.policy import Policy, Uplink

FIRST = IPv4Address("203.0.113.1")


def two_uplinks(*present: bool, **changes: object) -> Policy:
    """64 ports at the address of each of two uplinks; an uplink that is not `present` has none."""
    return policy(
        uplinks=tuple(
            Uplink.pool(*((FIRST + at,) if there else ()), index=at + 1) for at, there in enumerate(present)
        ),
        ports=((2000, 2063),), ports_per_host=0, sessions=500, **changes,
    )  # fmt: skip


def greedy(make: Callable[..., bytes], *present: bool) -> Router:
    """A router with 57 ports of CLIENT at the first uplink, and 57 of OTHER_CLIENT at the second."""
    router = Router(two_uplinks(*present), capacity=500)
    for device, host in ((1, CLIENT), (2, OTHER_CLIENT)):
        for port in range(57):
            router.out(make(host, 10_000 + port, SERVER, 80), device=device)
    return router


@pytest.mark.parametrize("make", [udp, tcp])
@pytest.mark.parametrize(
    "after",
    [[(False, True)], [(True, True), (False, True)], [(False, False), (False, True)]],
    ids=["away", "later", "after both"],
)
def test_ports_at_an_uplink_that_is_away_take_nothing_of_a_host_s_share(
    make: Callable[..., bytes], after: list[tuple[bool, bool]]
) -> None:
    router = greedy(make, True, True)
    for present in after:
        router.table.configure(two_uplinks(*present))
    assert router.out(make(CLIENT, 20_000, SERVER, 80), device=2)
    router.table.configure(two_uplinks(True, True))
    assert_whole(router.table)


def test_ports_of_an_uplink_that_came_back_count_again() -> None:
    router = greedy(udp, True, True)
    router.table.configure(two_uplinks(False, True))
    for _ in range(2):
        router.table.configure(two_uplinks(True, True))
        assert router.try_out(udp(CLIENT, 20_000, SERVER, 80), device=1)[0] == "host_ports_full"
        router.table.configure(two_uplinks(False, True))
        router.table.configure(two_uplinks(False, True, share_ports=True))
    assert router.out(udp(CLIENT, 20_001, SERVER, 80), device=2)
    router.wait(10_000)
    router.table.configure(two_uplinks(True, True))
    for port in range(57):
        router.out(udp(CLIENT, 10_000 + port, SERVER, 80), device=1)


def test_ports_of_an_uplink_that_is_away_at_a_restart_take_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state"
    router = Router(two_uplinks(True, True), capacity=500, path=str(path))
    for device, host in ((1, CLIENT), (2, OTHER_CLIENT)):
        for port in range(57):
            router.out(udp(host, 10_000 + port, SERVER, 80), device=device)
    after = restarted(router, path, capacity=500, rules=two_uplinks(False, True))
    assert after.out(udp(CLIENT, 20_000, SERVER, 80), device=2)
    after.table.configure(two_uplinks(True, True))
    assert_whole(after.table)
