"""Shares: under the default policy one host may have nearly everything, and never everything."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from support.packets import query, tcp, udp
from support.router import CLIENT, LAN, OTHER_CLIENT, SERVER, SHARES, Router, policy

SIZE = 900
"""Ports, or sessions: one host may have 800 of them, eight times the 100 that are left."""
ONE, OTHERS = 800, 100

Make = Callable[[IPv4Address, int], bytes]


def over_tcp(host: IPv4Address, port: int) -> bytes:
    """The first packet of a session over TCP."""
    return tcp(host, port, SERVER, 80)


def over_udp(host: IPv4Address, port: int) -> bytes:
    """The first packet of a session over UDP."""
    return udp(host, port, SERVER, 80)


def over_icmp(host: IPv4Address, identifier: int) -> bytes:
    """A ping."""
    return query(host, SERVER, identifier)


every_transport = pytest.mark.parametrize("make", [over_tcp, over_udp, over_icmp])


def begun(router: Router, make: Make, host: IPv4Address, count: int) -> int:
    """How many of so many new sessions began, each from a port of its own."""
    return [router.try_out(make(host, 2000 + number))[0] for number in range(count)].count("")


def narrow(sessions: int = 100_000, **changes: object) -> Router:
    """SIZE ports, under the default policy."""
    return Router(
        policy(**SHARES, ports=((10_000, 9_999 + SIZE),), sessions=sessions, **changes), capacity=sessions
    )


@every_transport
def test_one_host_gets_nearly_all_ports_and_the_others_begin(make: Make) -> None:
    router = narrow()
    assert ONE <= begun(router, make, CLIENT, 2 * SIZE) <= ONE + 1
    assert router.try_out(make(CLIENT, 60_000))[0] == "host_ports_full"
    assert begun(router, make, OTHER_CLIENT, 20) == 20


def test_each_transport_has_ports_of_its_own() -> None:
    router = narrow()
    for make in (over_tcp, over_udp, over_icmp):
        assert begun(router, make, CLIENT, 2 * SIZE) >= ONE


def test_of_ten_greedy_hosts_each_gets_its_share_and_something_is_left() -> None:
    router = narrow()
    for turn in range(2 * SIZE):
        for host in range(10):
            router.try_out(over_udp(LAN[100 + host], 2000 + turn))
    ports = [router.table.hosts()[LAN[100 + host]][1] for host in range(10)]
    assert min(ports) >= 0.9 * max(ports)
    assert router.table.gauges().ports_in_use[1] < SIZE
    assert router.out(over_udp(CLIENT, 2000))


def test_one_host_gets_nearly_all_sessions_and_the_others_begin() -> None:
    """From one port, to one remote endpoint each."""
    router = Router(policy(**SHARES, sessions=SIZE), capacity=SIZE)
    reasons = [router.try_out(udp(CLIENT, 2000, SERVER, 1 + number))[0] for number in range(2 * SIZE)]
    assert ONE <= reasons.count("") <= ONE + 1
    assert set(reasons) == {"", "host_sessions_full"}
    for number in range(20):
        assert router.out(udp(OTHER_CLIENT, 2000, SERVER, 1 + number))


@pytest.mark.parametrize(
    ("limit", "make"),
    [({"ports_per_host": SIZE}, over_udp), ({"ports_per_host": 50}, over_udp)],
    ids=["all", "few"],
)
def test_a_limit_by_number_takes_the_place_of_the_share(limit: dict[str, int], make: Make) -> None:
    router = Router(policy(**(SHARES | limit), ports=((10_000, 9_999 + SIZE),), sessions=5000), capacity=5000)
    assert begun(router, make, CLIENT, 2 * SIZE) == limit["ports_per_host"]


def test_a_share_that_ends_is_free_again() -> None:
    router = narrow()
    for _ in range(3):
        assert begun(router, over_udp, CLIENT, 2 * SIZE) >= ONE
        router.wait(300)
    assert begun(router, over_udp, OTHER_CLIENT, 2 * SIZE) >= ONE


def test_the_share_is_of_what_is_there_after_a_change_of_policy() -> None:
    router = narrow()
    assert begun(router, over_udp, CLIENT, 2 * SIZE) >= ONE
    router.table.configure(policy(**SHARES, ports=((10_000, 9_999 + 2 * SIZE),), sessions=100_000))
    more = [router.try_out(over_udp(CLIENT, 20_000 + number))[0] for number in range(2 * SIZE)]
    assert ONE - 1 <= more.count("") <= ONE + 1, "the ports it had count"
    assert begun(router, over_udp, OTHER_CLIENT, 20) == 20
