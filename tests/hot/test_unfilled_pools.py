"""Ports that come back to a pool which is not filled, after another port range or a restart."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.packets import query, read, tcp, udp
from support.router import CLIENT, SERVER, Router, policy
from support.whole import assert_whole

from hot.restarting import restarted
from hot.test_pools import HOSTS, begin, having
from nfmasq.core.policy import Filtering, Policy

NARROW, WIDE, BESIDE = ((2000, 2003),), ((2000, 2005),), ((2004, 2005),)
HOLD_DOWN = 120
"""Seconds: nfmasq/_hot/state/ports.pxd."""
LATE = 10_000
"""Seconds after which every timer has run out."""

Make = Callable[[int], bytes]
MAKES: dict[str, Make] = {
    "TCP": lambda port: tcp(CLIENT, port, SERVER, 80),
    "UDP": lambda port: udp(CLIENT, port, SERVER, 80),
    "ICMP": lambda port: query(CLIENT, SERVER, port),
}
ENDING: dict[str, Callable[[Router], int]] = {
    "flush": lambda router: router.table.flush(),
    "expire": lambda router: router.table.expire(router.now + LATE),
}
RESTING = ["UDP", "ICMP"]

every_end = pytest.mark.parametrize("end", ENDING)


def filled(router: Router) -> int:
    """How many pools have been filled: the others have no row."""
    return len([row for row in router.table.fill() if row.address is not None])


def rules(ports: tuple[tuple[int, int], ...]) -> Policy:
    """These ports, in hold-down after all but TCP."""
    return policy(ports=ports, filtering=Filtering.ENDPOINT_INDEPENDENT)


def handed_out(router: Router, make: Make) -> list[int]:
    """External ports of new sessions, until there is none."""
    ports: list[int] = []
    while True:
        reason, sent = router.try_out(make(50_000 + len(ports)))
        if reason:
            assert reason == "ports_exhausted"
            return sorted(ports)
        ports.append(read(sent).source_port)


def with_sessions(make: Make, path: Path | None = None) -> Router:
    """A router whose ports are all in use, of the narrow range."""
    router = Router(rules(NARROW), path=str(path) if path else None)
    assert handed_out(router, make) == [2000, 2001, 2002, 2003]
    return router


@every_end
def test_sessions_that_end_after_other_ports_fill_no_pool(end: str) -> None:
    router = Router(having((0, 100)), capacity=20_000)
    begin(router)
    assert filled(router) > 1
    router.table.configure(having((0, 100), ports=((2000, 60_000),)))
    assert ENDING[end](router) == len(HOSTS)
    assert filled(router) == 0


@every_end
def test_sessions_that_end_after_a_restart_fill_no_pool(tmp_path: Path, end: str) -> None:
    path = tmp_path / "state"
    router = Router(having((0, 100)), capacity=20_000, path=str(path))
    begin(router)
    after = restarted(router, path, capacity=20_000, rules=having((0, 100)))
    assert ENDING[end](after) == len(HOSTS)
    assert filled(after) == 0


def test_sessions_whose_address_is_lost_fill_no_pool() -> None:
    router = Router(having((0, 100)), capacity=20_000)
    begin(router)
    assert router.table.configure(having((100, 100), ports=((2000, 60_000),))) == len(HOSTS)
    router.table.configure(having((0, 100), ports=((2000, 60_000),)))
    assert filled(router) == 0


@pytest.mark.parametrize("kind", RESTING)
def test_ports_that_came_back_rest_and_are_handed_out_then_again(kind: str) -> None:
    router = with_sessions(MAKES[kind])
    router.table.configure(rules(WIDE))
    assert router.table.flush() == 4
    assert handed_out(router, MAKES[kind]) == [2004, 2005]
    router.now += HOLD_DOWN + 1
    assert handed_out(router, MAKES[kind])[:4] == [2000, 2001, 2002, 2003]
    assert_whole(router.table)


@pytest.mark.parametrize("kind", MAKES)
def test_where_the_hold_downs_are_over_first_every_port_is_handed_out_once(kind: str) -> None:
    router = with_sessions(MAKES[kind])
    router.table.configure(rules(WIDE))
    router.table.flush()
    router.now += HOLD_DOWN + 1
    assert handed_out(router, MAKES[kind]) == [2000, 2001, 2002, 2003, 2004, 2005]


def test_a_port_that_does_not_rest_is_free_immediately() -> None:
    router = with_sessions(MAKES["TCP"])
    router.table.configure(rules(WIDE))
    router.table.flush()
    assert handed_out(router, MAKES["TCP"]) == [2000, 2001, 2002, 2003, 2004, 2005]


@pytest.mark.parametrize("kind", MAKES)
def test_a_port_beyond_the_range_is_handed_out_no_more(kind: str) -> None:
    router = with_sessions(MAKES[kind])
    router.table.configure(rules(BESIDE))
    router.table.flush()
    router.now += HOLD_DOWN + 1
    assert handed_out(router, MAKES[kind]) == [2004, 2005]


@pytest.mark.parametrize("kind", RESTING)
def test_ports_rest_that_came_back_after_a_restart(tmp_path: Path, kind: str) -> None:
    router = with_sessions(MAKES[kind], tmp_path / "state")
    after = restarted(router, tmp_path / "state", rules=rules(WIDE))
    assert after.table.flush() == 4
    assert handed_out(after, MAKES[kind]) == [2004, 2005]
    after.now += HOLD_DOWN + 1
    assert handed_out(after, MAKES[kind])[:4] == [2000, 2001, 2002, 2003]
    assert_whole(after.table)
