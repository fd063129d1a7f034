"""A port that is in use, for another remote endpoint: only while no port is free (nat.share_ports)."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.packets import ECHO_REPLY, query, read, tcp, udp
from support.router import (
    CLIENT,
    EXTERNAL,
    LAN,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    OTHER_SERVER,
    SERVER,
    Router,
    policy,
)
from support.whole import assert_whole

from nfmasq.core.policy import Filtering, Mapping, Policy

PORTS = 4
Make = Callable[[IPv4Address, int, IPv4Address, int], bytes]


def sharing(**changes: object) -> Policy:
    """PORTS ports, and as many sessions as one likes at each."""
    return policy(ports=((5000, 4999 + PORTS),), share_ports=True, sessions=10_000, **changes)


def full(rules: Policy | None = None, path: str | None = None) -> Router:
    """A router whose UDP ports CLIENT has all, each answered by SERVER's port 80."""
    router = Router(rules or sharing(), capacity=10_000, path=path)
    for number in range(PORTS):
        near = read(router.out(udp(CLIENT, 3000 + number, SERVER, 80))).source_port
        router.into(udp(SERVER, 80, EXTERNAL, near))
    return router


def lent(router: Router, count: int) -> list[int]:
    """The external ports of so many sessions of OTHER_CLIENT, each with another remote port."""
    packets = [udp(OTHER_CLIENT, 4000 + number, OTHER_SERVER, 1 + number) for number in range(count)]
    return [read(router.out(packet)).source_port for packet in packets]


@pytest.mark.parametrize("make", [udp, tcp])
def test_while_a_port_is_free_none_is_shared(make: Make) -> None:
    router = Router(sharing())
    used = {read(router.out(make(LAN[9 + n], 7, SERVER + n, 80))).source_port for n in range(PORTS)}
    assert len(used) == PORTS
    assert router.table.gauges().borrowing == 0


def test_a_port_is_shared_by_sessions_with_other_remote_endpoints() -> None:
    router = full()
    for number in range(50):
        sent = read(router.out(udp(OTHER_CLIENT, 4000 + number, OTHER_SERVER, 1 + number)))
        back = read(router.into(udp(OTHER_SERVER, 1 + number, EXTERNAL, sent.source_port)))
        assert (back.destination, back.destination_port) == (OTHER_CLIENT, 4000 + number)
    assert router.table.gauges().borrowing == 50
    assert router.table.gauges().ports_in_use[1] == PORTS
    assert_whole(router.table)


def test_no_two_sessions_have_one_port_and_one_remote_endpoint() -> None:
    router = Router(sharing())
    reasons = [router.try_out(udp(LAN[1 + n], 3000, SERVER, 80))[0] for n in range(100)]
    assert reasons == [""] * PORTS + ["ports_exhausted"] * (100 - PORTS)
    assert len({(row.external, row.remote) for row in router.rows()}) == PORTS


@pytest.mark.parametrize("size", range(1, 9))
def test_of_a_small_pool_every_port_is_tried(size: int) -> None:
    """Each newcomer asks for the same remote endpoint, so that each takes another port, to the last one."""
    for _ in range(20):
        router = Router(policy(ports=((5000, 4999 + size),), share_ports=True))
        for number in range(size):
            router.out(udp(CLIENT, 3000 + number, SERVER, 80))
        lent_ports = {
            read(router.out(udp(OTHER_CLIENT, 3000 + n, OTHER_SERVER, 53))).source_port for n in range(size)
        }
        assert len(lent_ports) == size


def test_low_ports_that_a_newcomer_may_not_have_do_not_use_up_the_tries() -> None:
    low, high = 8, 64
    router = Router(
        policy(ports=((1024 - low, 1023 + high),), share_ports=True, sessions=10_000), capacity=10_000
    )
    for number in range(low):
        router.out(udp(LAN[9], 600 + number, SERVER, 80))
    for number in range(high):
        router.out(udp(LAN[10 + number], 3000, SERVER, 80))
    for number in range(300):
        sent = read(router.out(udp(OTHER_CLIENT, 4000 + number, OTHER_SERVER, 53 + number)))
        assert sent.source_port >= 1024


def test_pings_share_identifiers() -> None:
    router = Router(sharing())
    for number in range(PORTS):
        assert router.out(query(CLIENT, SERVER, 100 + number))
    sent = read(router.out(query(OTHER_CLIENT, OTHER_SERVER, 7)))
    back = read(router.into(query(OTHER_SERVER, EXTERNAL, sent.source_port, ECHO_REPLY)))
    assert back.destination == OTHER_CLIENT
    assert router.table.gauges().borrowing == 1


def test_nobody_else_reaches_the_host_by_a_shared_port() -> None:
    router = full(sharing(filtering=Filtering.ENDPOINT_INDEPENDENT))
    near = read(router.out(udp(OTHER_CLIENT, 4000, OTHER_SERVER, 53))).source_port
    for port in (54, 5353):
        back = read(router.into(udp(OTHER_SERVER, port, EXTERNAL, near)))
        assert back.destination == CLIENT, "the port is the first one's"


def test_the_port_passes_on_when_its_first_mapping_ends() -> None:
    router = full()
    sent = lent(router, 9)
    router.table.flush(CLIENT)
    for number, near in enumerate(sent):
        assert (
            read(router.out(udp(OTHER_CLIENT, 4000 + number, OTHER_SERVER, 1 + number))).source_port == near
        )
    assert router.table.gauges().ports_in_use[1] == len(set(sent))
    assert router.table.gauges().borrowing == len(sent) - len(set(sent))
    for number in range(PORTS - len(set(sent))):
        assert read(router.out(udp(CLIENT, 3000 + number, SERVER, 80))).source_port not in sent
    assert_whole(router.table)


def test_every_port_is_free_again_when_all_have_ended() -> None:
    router = full()
    for number in range(30):
        router.out(udp(OTHER_CLIENT, 4000 + number, OTHER_SERVER, 1 + number))
    router.wait(300)
    assert router.table.gauges().ports_in_use[1] == router.table.gauges().borrowing == 0
    used = {read(router.out(udp(LAN[9 + n], 7, SERVER, 80))).source_port for n in range(PORTS)}
    assert len(used) == PORTS


def test_the_first_one_s_own_session_with_that_remote_endpoint_gets_another_port() -> None:
    """Its mapping's port is taken there."""
    router = Router(policy(ports=((5000, 5001),), share_ports=True))
    first = read(router.out(udp(CLIENT, 3000, SERVER, 80))).source_port
    router.out(udp(LAN[99], 3001, SERVER, 80))
    shared = lent(router, 20)
    place = shared.index(first)
    sent = read(router.out(udp(CLIENT, 3000, OTHER_SERVER, 1 + place)))
    assert sent.source_port != first
    back = read(router.into(udp(OTHER_SERVER, 1 + place, EXTERNAL, sent.source_port)))
    assert (back.destination, back.destination_port) == (CLIENT, 3000)
    assert_whole(router.table)


def test_shared_ports_outlive_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    before = full(path=path)
    lent(before, 30)
    before.table.flush(CLIENT)
    for number in range(PORTS):
        before.out(udp(CLIENT, 3000 + number, SERVER, 80))
    rows = {(row.internal, row.external, row.remote) for row in before.rows()}
    borrowing = before.table.gauges().borrowing
    before.table.close()
    after = Router(sharing(), capacity=10_000, path=path)
    assert after.table.warning == ""
    assert {(row.internal, row.external, row.remote) for row in after.rows()} == rows
    assert after.table.gauges().borrowing == borrowing
    assert after.table.gauges().ports_in_use[1] == PORTS
    assert_whole(after.table)


def test_a_mapping_for_one_remote_endpoint_shares_as_any_other(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    rules = sharing(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)
    before = full(rules, path=path)
    for number in range(20):
        before.out(udp(CLIENT, 3000, OTHER_SERVER, 1 + number))
    before.table.close()
    after = Router(rules, capacity=10_000, path=path)
    assert len(after.rows()) == PORTS + 20
    assert_whole(after.table)


def test_an_address_that_goes_takes_its_shared_ports_along() -> None:
    router = full()
    for number in range(9):
        router.out(udp(OTHER_CLIENT, 4000 + number, OTHER_SERVER, 1 + number))
    router.table.configure(sharing(external=(OTHER_EXTERNAL,)))
    assert router.rows() == []
    assert router.table.gauges().borrowing == 0
    assert_whole(router.table)


def test_switched_off_the_newcomer_is_refused() -> None:
    router = full(policy(ports=((5000, 4999 + PORTS),), sessions=10_000, share_ports=False))
    assert router.try_out(udp(OTHER_CLIENT, 4000, OTHER_SERVER, 53))[0] == "ports_exhausted"
