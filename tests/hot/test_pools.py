"""A pool of ports stays with its external address, whatever addresses come and go."""

from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from random import Random

import pytest
from support.packets import GRE, portless, read, tcp, udp
from support.router import CLIENT, EXTERNAL, LAN, OTHER_EXTERNAL, SERVER, Router, policy
from support.whole import assert_whole

from hot.restarting import restarted
from nfmasq.core.policy import Filtering, Policy, Uplink

FIRST = IPv4Address("203.0.113.1")
MOST = 256
"""External addresses that a policy can have, and pools that there are."""
HOSTS = list(LAN.hosts())


def having(*uplinks: tuple[int, int], **changes: object) -> Policy:
    """Uplinks, each with addresses from the nth on, and so many."""
    rows = tuple(
        Uplink.pool(*(FIRST + at for at in range(first, first + many)), index=index)
        for index, (first, many) in enumerate(uplinks, 1)
    )
    return policy(uplinks=rows, sessions=20_000, **changes)


def begin(router: Router, device: int = 1) -> set[IPv4Address]:
    """A session of each host by this uplink; the addresses in use."""
    return {read(router.out(udp(host, 30_000 + device, SERVER, 80), device=device)).source for host in HOSTS}


def test_a_port_of_an_address_that_came_back_is_not_handed_out_again() -> None:
    router = Router(policy(ports=((2000, 2001),)))
    first = read(router.out(udp(CLIENT, 40_000, SERVER, 80))).source_port
    router.table.configure(policy(ports=((2000, 2001),), external=()))
    router.table.configure(policy(ports=((2000, 2001),)))
    assert read(router.out(udp(CLIENT, 40_001, SERVER, 80))).source_port == 4001 - first
    assert router.try_out(udp(CLIENT, 40_002, SERVER, 80))[0] == "ports_exhausted"


def test_hold_downs_of_an_address_that_came_back_go_on() -> None:
    rules = {"ports": ((2000, 2000),), "filtering": Filtering.ENDPOINT_INDEPENDENT}
    router = Router(policy(**rules))
    router.out(udp(CLIENT, 40_000, SERVER, 80))
    router.wait(300)
    router.table.configure(policy(**rules, external=()))
    router.table.configure(policy(**rules))
    assert router.try_out(udp(CLIENT, 40_001, SERVER, 80))[0] == "ports_exhausted"
    router.now += 120
    assert router.out(udp(CLIENT, 40_001, SERVER, 80))


@pytest.mark.parametrize("others", [1, 2, 5, MOST - 1])
def test_hold_downs_go_on_however_many_other_addresses_came_meanwhile(others: int) -> None:
    rules = {"ports": ((2000, 2000),), "filtering": Filtering.ENDPOINT_INDEPENDENT}
    router = Router(policy(**rules, external=(FIRST,)))
    router.out(udp(CLIENT, 40_000, SERVER, 80))
    router.wait(300)
    for other in range(1, others + 1):
        router.table.configure(policy(**rules, external=(FIRST + other,)))
        router.out(udp(CLIENT, 40_000, SERVER, 80))
    router.table.configure(policy(**rules, external=(FIRST,)))
    assert router.try_out(udp(CLIENT, 40_001, SERVER, 80))[0] == "ports_exhausted"
    router.now += 120
    assert router.out(udp(CLIENT, 40_001, SERVER, 80))


def test_an_address_that_comes_for_another_has_all_its_ports() -> None:
    rules = {"ports": ((2000, 2001),), "filtering": Filtering.ENDPOINT_INDEPENDENT}
    router = Router(policy(**rules))
    for external in [OTHER_EXTERNAL, EXTERNAL] * 5:
        assert {read(router.out(udp(CLIENT, port, SERVER, 80))).source_port for port in (1024, 1025)} == {
            2000,
            2001,
        }
        router.table.configure(policy(**rules, external=(external,)))
        router.now += 120
        assert_whole(router.table)


def test_an_address_a_day_for_years_is_borne() -> None:
    router = Router(policy(external=(FIRST,)))
    for day in range(1, 600):
        router.out(udp(CLIENT, 40_000, SERVER, 80))
        router.out(portless(CLIENT, SERVER, GRE))
        assert router.table.configure(policy(external=(FIRST + day,))) == 2
    assert read(router.out(udp(CLIENT, 40_000, SERVER, 80))).source == FIRST + 599
    assert_whole(router.table)


def test_as_many_addresses_as_there_can_be_may_all_change_and_come_back() -> None:
    router = Router(having((0, MOST)), capacity=20_000)
    for first in (MOST, 0, MOST // 2, 0):
        begin(router)
        stay = {FIRST + at for at in range(first, first + MOST)}
        lost = [row for row in router.rows() if row.external[0] not in stay]
        assert router.table.configure(having((first, MOST))) == len(lost)
        assert begin(router) <= {FIRST + at for at in range(first, first + MOST)}
        assert_whole(router.table)


def test_sessions_of_an_uplink_without_addresses_wait_as_long_as_no_other_needs_their_pools() -> None:
    router = Router(having((0, 100), (300, 100)), capacity=20_000)
    begin(router, device=1)
    before = {row.internal: row.external for row in router.rows()}
    assert router.table.configure(having((0, 0), (300, 100))) == 0
    begin(router, device=2)
    assert router.table.configure(having((0, 100), (300, 100))) == 0
    assert begin(router, device=1) == {external[0] for external in before.values()}
    assert {row.internal: row.external for row in router.rows()}.items() >= before.items()
    assert_whole(router.table)


def test_sessions_whose_pools_are_needed_end_and_no_port_is_doubled() -> None:
    router = Router(having((0, 200), (300, 1)), capacity=20_000)
    begin(router, device=1)
    waiting = len(router.rows())
    router.table.configure(having((0, 0), (300, 1)))
    ended = router.table.configure(having((0, 0), (300, 200)))
    assert 0 < ended < waiting
    begin(router, device=2)
    router.table.configure(having((0, 50), (300, 200)))
    begin(router, device=1)
    router.table.configure(having((0, 200), (300, 50)))
    begin(router, device=1)
    assert_whole(router.table)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_changes_no_two_sessions_share_an_endpoint(seed: int) -> None:
    """Addresses, uplinks and ports change at random, among sessions that begin and end."""
    random, ports = Random(seed), count(10_000)
    router = Router(having((0, 1)), capacity=20_000)
    for _ in range(60):
        low = random.choice((1024, 2000, 40_000))
        changes = {
            "ports": ((low, low + random.choice((3, 50, 20_000))),),
            "share_ports": random.random() < 0.5,
        }
        sizes = [random.choice((0, 1, 2, 120)), random.choice((1, 3, 120))]
        rules = having(
            (random.choice((0, 1, 60)), sizes[0]), (random.choice((200, 240)), sizes[1]), **changes
        )
        router.table.configure(rules)
        for port in (next(ports) for _ in range(40)):
            host, device = random.choice(HOSTS), random.choice((1, 2))
            make = random.choice((udp, tcp))
            router.try_out(make(host, port, SERVER, 80), device=device)
        router.try_out(portless(random.choice(HOSTS), SERVER, GRE), device=2)
        if random.random() < 0.3:
            router.table.flush(random.choice(HOSTS))
        rows = router.table.sessions(limit=20_000)
        assert len({(row.protocol, row.external, row.remote) for row in rows}) == len(rows)
    router.wait(10_000)
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)
    assert_whole(router.table)


def test_recovered_mappings_have_their_ports_before_the_first_policy(tmp_path: Path) -> None:
    """Also where the addresses come later than the daemon."""
    path = tmp_path / "state"
    router = Router(policy(ports=((2000, 2001),)), path=str(path))
    first = read(router.out(udp(CLIENT, 40_000, SERVER, 80))).source_port
    after = restarted(router, path, rules=policy(ports=((2000, 2001),), external=()))
    after.table.configure(policy(ports=((2000, 2001),)))
    assert read(after.out(udp(CLIENT, 40_001, SERVER, 80))).source_port == 4001 - first
    assert after.try_out(udp(CLIENT, 40_002, SERVER, 80))[0] == "ports_exhausted"
    assert_whole(after.table)


def test_sessions_that_end_before_the_first_policy_are_borne(tmp_path: Path) -> None:
    path = tmp_path / "state"
    router = Router(path=str(path))
    router.out(udp(CLIENT, 40_000, SERVER, 80))
    router.table.close()
    after = Router.__new__(Router)
    after.table = type(router.table)(str(path), 64)
    assert after.table.flush() == 1
    after.table.configure(policy())
    after.now = router.now
    assert after.out(udp(CLIENT, 40_000, SERVER, 80))
    assert_whole(after.table)
