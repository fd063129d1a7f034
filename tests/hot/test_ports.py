"""External ports: which are handed out, in what order, and when they come back."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.packets import FIN, GRE, SYN, portless, query, read, tcp, udp
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

from nfmasq.core.policy import Filtering, Timeouts

HOLD_DOWN = 120
"""Seconds a UDP port or a query identifier rests before another mapping gets it (RFC 6888 REQ-8)."""

ANYBODY = Filtering.ENDPOINT_INDEPENDENT
"""Every remote endpoint is let in."""

Make = Callable[[IPv4Address, int, IPv4Address], bytes]


def over_tcp(source: IPv4Address, port: int, destination: IPv4Address) -> bytes:
    """The first packet of a session over TCP."""
    return tcp(source, port, destination, 80)


def over_udp(source: IPv4Address, port: int, destination: IPv4Address) -> bytes:
    """The first packet of a session over UDP."""
    return udp(source, port, destination, 80)


def over_icmp(source: IPv4Address, identifier: int, destination: IPv4Address) -> bytes:
    """A ping."""
    return query(source, destination, identifier)


TRANSPORTS = [over_tcp, over_udp, over_icmp]
every_transport = pytest.mark.parametrize("make", TRANSPORTS)


def fill(router: Router, make: Make, count: int, step: int = 1) -> list[int]:
    """External ports of `count` new mappings."""
    ports = range(40000, 40000 + count * step, step)
    return [read(router.out(make(CLIENT, port, SERVER))).source_port for port in ports]


@every_transport
@pytest.mark.parametrize("ports", [(1024, 1031), (1, 3), (65533, 65535), (5000, 5000)])
def test_every_port_of_the_range_is_handed_out_once_and_then_there_is_none(
    make: Make, ports: tuple[int, int]
) -> None:
    router = Router(policy(ports=(ports,)))
    count = ports[1] - ports[0] + 1
    assert sorted(fill(router, make, count)) == list(range(ports[0], ports[1] + 1))
    for attempt in range(1, 4):
        assert router.try_out(make(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"
        assert sum(router.table.counters().allocation_failures) == attempt
    assert len(router.rows()) == count
    assert router.out(make(CLIENT, 40000, OTHER_SERVER)), "a mapping that stands needs no port"


SHARED = ((2000, 2001), (4096, 4099), (40000, 40000))
"""As networks give them that share one address among customers (MAP-E, RFC 7597)."""


@every_transport
def test_every_port_of_several_ranges_is_handed_out_and_no_other(make: Make) -> None:
    router = Router(policy(ports=SHARED))
    assert sorted(fill(router, make, 7)) == [2000, 2001, 4096, 4097, 4098, 4099, 40000]
    assert router.try_out(make(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"
    assert router.table.gauges().ports_capacity == (7, 7, 7, 0)


@pytest.mark.parametrize("make", [over_tcp, over_udp])
def test_a_low_port_gets_a_low_one_while_there_is_one(make: Make) -> None:
    """RFC 4787 REQ-3a."""
    router = Router(policy(ports=((2000, 2009),), low_ports=((600, 603),)))
    low = [read(router.out(make(CLIENT, port, SERVER))).source_port for port in range(500, 504)]
    assert sorted(low) == [600, 601, 602, 603]
    assert [port % 2 for port in low] == [0, 1, 0, 1], "parity is kept as well (REQ-4)"
    assert 2000 <= read(router.out(make(CLIENT, 504, SERVER))).source_port <= 2009


@every_transport
def test_a_high_port_never_gets_a_low_one(make: Make) -> None:
    router = Router(policy(ports=((2000, 2003),), low_ports=((600, 1023),)))
    assert sorted(fill(router, make, 4)) == [2000, 2001, 2002, 2003]
    assert router.try_out(make(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"


def test_a_low_query_identifier_gets_none_of_the_low_ports() -> None:
    router = Router(policy(ports=((2000, 2003),), low_ports=((600, 1023),)))
    assert 2000 <= read(router.out(over_icmp(CLIENT, 7, SERVER))).source_port <= 2003
    assert router.table.gauges().ports_capacity == (428, 428, 4, 0)


def test_low_ports_that_sockets_hold_are_spared() -> None:
    router = Router(policy(low_ports=((600, 602),), reserved_tcp=frozenset({600, 602})))
    assert read(router.out(over_tcp(CLIENT, 500, SERVER))).source_port == 601
    assert read(router.out(over_tcp(CLIENT, 501, SERVER))).source_port >= 1024


@every_transport
@pytest.mark.parametrize("parity", [0, 1])
def test_parity_is_kept_while_a_port_of_that_parity_is_left(make: Make, parity: int) -> None:
    """RFC 4787 REQ-4."""
    router = Router(policy(ports=((1024, 1039),)))
    ports = [
        read(router.out(make(CLIENT, 40000 + parity + 2 * number, SERVER))).source_port
        for number in range(16)
    ]
    assert [port % 2 for port in ports] == [parity] * 8 + [1 - parity] * 8


@pytest.mark.parametrize("make", [over_tcp, over_udp])
def test_a_port_that_a_local_socket_holds_is_never_handed_out(make: Make) -> None:
    held = frozenset({1024, 1026, 1027, 1030})
    reserved = {"reserved_tcp": held} if make is over_tcp else {"reserved_udp": held}
    router = Router(policy(ports=((1024, 1031),), **reserved))
    assert set(fill(router, make, 4)) == {1025, 1028, 1029, 1031}
    assert router.try_out(make(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"
    router.now += HOLD_DOWN
    for port in range(50000, 50004):
        assert read(router.out(make(OTHER_CLIENT, port, SERVER))).source_port not in held, (
            "an old one gave way"
        )


def test_local_sockets_hold_ports_of_their_own_transport_only() -> None:
    router = Router(policy(ports=((1024, 1024),), reserved_tcp=frozenset({1024})))
    assert router.try_out(over_tcp(CLIENT, 40000, SERVER))[0] == "ports_exhausted"
    assert router.out(over_udp(CLIENT, 40000, SERVER))
    assert router.out(over_icmp(CLIENT, 40000, SERVER))


def test_a_port_whose_socket_was_closed_comes_up_again() -> None:
    router = Router(policy(ports=((1024, 1024),), reserved_udp=frozenset({1024})))
    assert router.try_out(over_udp(CLIENT, 40000, SERVER))[0] == "ports_exhausted"
    router.table.configure(policy(ports=((1024, 1024),)))
    router.now += HOLD_DOWN
    assert router.out(over_udp(CLIENT, 40000, SERVER))


def test_a_mapping_keeps_its_port_though_a_socket_takes_it() -> None:
    router = Router(policy(ports=((1024, 1024),)))
    router.out(over_udp(CLIENT, 40000, SERVER))
    router.table.configure(policy(ports=((1024, 1024),), reserved_udp=frozenset({1024})))
    assert read(router.out(over_udp(CLIENT, 40000, SERVER))).source_port == 1024


def test_a_tcp_port_is_free_as_soon_as_its_mapping_ends() -> None:
    router = Router(policy(ports=((1024, 1025),)))
    for _ in range(3):
        assert set(fill(router, over_tcp, 2)) == {1024, 1025}
        assert router.wait(240) == 2


@pytest.mark.parametrize(("make", "timeout"), [(over_udp, 300), (over_icmp, 60)])
def test_other_ports_rest_where_anybody_is_let_in(make: Make, timeout: int) -> None:
    """A packet that comes late would reach the next mapping (RFC 6888 REQ-8)."""
    router = Router(policy(ports=((1024, 1025),), filtering=ANYBODY))
    fill(router, make, 2)
    for _ in range(3):
        assert router.wait(timeout) == 2
        assert router.try_out(make(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"
        router.wait(HOLD_DOWN - 1)
        assert router.try_out(make(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"
        router.wait(1)
        assert set(fill(router, make, 2)) == {1024, 1025}


@pytest.mark.parametrize(("make", "timeout"), [(over_udp, 300), (over_icmp, 60)])
@pytest.mark.parametrize("filtering", [Filtering.ADDRESS_DEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT])
def test_a_port_is_free_as_soon_as_its_mapping_ends_where_filtering_asks_who_sends(
    make: Make, timeout: int, filtering: Filtering
) -> None:
    """RFC 6888 REQ-8 C."""
    router = Router(policy(ports=((1024, 1025),), filtering=filtering))
    for _ in range(3):
        assert set(fill(router, make, 2)) == {1024, 1025}
        assert router.wait(timeout) == 2


def test_the_port_of_one_question_and_its_answer_does_not_rest() -> None:
    """A resolver asks each question from another port."""
    router = Router(policy(ports=((1024, 1024),), filtering=ANYBODY, timeouts=Timeouts()))
    for question in range(3):
        assert router.out(udp(CLIENT, 40000 + question, SERVER, 53))
        assert router.into(udp(SERVER, 53, EXTERNAL, 1024))
        assert router.wait(Timeouts().udp_dns) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"ports": ((1020, 1030),)},
        {"external": (EXTERNAL, OTHER_EXTERNAL), "ports": ((1024, 1025),)},
        {"ports": ((1024, 1031),), "external": (EXTERNAL,)},
    ],
    ids=["other ports", "another address more", "both"],
)
def test_a_port_rests_on_under_a_new_policy(change: dict[str, Any]) -> None:
    """RFC 6888 REQ-8 knows no exception for a reload."""
    router = Router(policy(ports=((1024, 1025),), filtering=ANYBODY))
    fill(router, over_udp, 1)
    (row,) = router.rows()
    router.wait(300)
    router.table.configure(policy(**change, filtering=ANYBODY))
    router.wait(HOLD_DOWN - 1)
    assert row.external not in taken_by_all(router)
    router.wait(HOLD_DOWN)
    assert row.external in taken_by_all(router)


def test_a_port_of_another_address_does_not_rest() -> None:
    router = Router(policy(ports=((1024, 1024),), filtering=ANYBODY))
    fill(router, over_udp, 1)
    router.wait(300)
    router.table.configure(policy(ports=((1024, 1024),), external=(OTHER_EXTERNAL,), filtering=ANYBODY))
    assert fill(router, over_udp, 1) == [1024]


def taken_by_all(router: Router) -> set[tuple[IPv4Address, int]]:
    """The external endpoints of as many UDP mappings as can be had, which end again."""
    for number, host in enumerate(list(LAN.hosts())[:60]):
        router.try_out(over_udp(host, 40000 + number, SERVER))
    taken = {row.external for row in router.rows()}
    router.wait(300)
    return taken


def test_a_full_address_of_the_pool_is_passed_over() -> None:
    """A host that has no address yet gets one with a free port, and keeps to it."""
    router = Router(policy(external=(EXTERNAL, OTHER_EXTERNAL), ports=((1024, 1027),)))
    hosts = list(LAN.hosts())[:8]
    used = [read(router.out(over_udp(host, 40000, SERVER)))[:2] for host in hosts]
    assert len(set(used)) == 8
    assert router.try_out(over_udp(LAN[99], 40000, SERVER))[0] == "ports_exhausted"
    for host in hosts:
        assert router.try_out(over_udp(host, 40001, SERVER))[0] == "ports_exhausted"


def test_a_flushed_udp_port_rests_too(router: Router) -> None:
    router.table.configure(policy(ports=((1024, 1024),), filtering=ANYBODY))
    router.table.translate(over_udp(CLIENT, 40000, SERVER))
    assert router.table.flush() == 1
    assert router.table.translate(over_udp(CLIENT, 40000, SERVER)) == ("ports_exhausted", b"")
    router.table.translate(over_tcp(CLIENT, 40000, SERVER))
    assert router.table.flush() == 1
    assert router.table.translate(over_tcp(CLIENT, 40000, SERVER))[0] == ""


def test_resting_ports_count_neither_as_used_nor_as_free() -> None:
    router = Router(policy(ports=((1024, 1031),), filtering=ANYBODY))
    fill(router, over_udp, 8)
    router.wait(300)
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)
    assert router.table.gauges().ports_capacity == (8, 8, 8, 0)


def test_a_mapping_that_was_refused_leaves_nothing_behind() -> None:
    router = Router(policy(ports=((1024, 1024),)))
    fill(router, over_udp, 1)
    before = router.table.gauges(), router.table.hosts()
    assert router.try_out(over_udp(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"
    assert (router.table.gauges(), router.table.hosts()) == before


def test_portless_protocols_need_no_port() -> None:
    router = Router(policy(ports=((1024, 1024),)))
    fill(router, over_udp, 1)
    assert router.out(portless(CLIENT, SERVER, GRE))


def test_ports_go_round_many_times_without_being_lost() -> None:
    """More turns than the ring of resting ports has places for this pool's pace."""
    router = Router(policy(ports=((1024, 1027),), filtering=ANYBODY))
    for turn in range(200):
        assert sorted(fill(router, over_udp, 4)) == [1024, 1025, 1026, 1027], turn
        router.wait(300)
        router.wait(HOLD_DOWN)


def test_a_closed_connection_gives_its_port_back_after_its_last_timer() -> None:
    router = Router(policy(ports=((1024, 1024),)))
    router.out(over_tcp(CLIENT, 40000, SERVER))
    router.into(tcp(SERVER, 80, EXTERNAL, 1024, SYN | 0x10))
    router.out(tcp(CLIENT, 40000, SERVER, 80, FIN | 0x10))
    router.into(tcp(SERVER, 80, EXTERNAL, 1024, FIN | 0x10))
    assert router.try_out(over_tcp(OTHER_CLIENT, 40000, SERVER))[0] == "ports_exhausted"
    router.wait(240)
    assert router.out(over_tcp(OTHER_CLIENT, 40000, SERVER))
