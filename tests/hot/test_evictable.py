"""Sessions that end early: only while room is short, only unanswered or over, and the oldest first."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.packets import ACK, FIN, GRE, RST, SYN, portless, query, read, tcp, udp
from support.router import CLIENT, EXTERNAL, LAN, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy
from support.whole import assert_whole

from nfmasq.core.policy import Timeouts

PORTS = 64
"""Of the pool. While fewer than four of them are free, room is short."""

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


def from_other_ports(offset: int) -> Make:
    """As over_udp, so many ports further."""
    return lambda host, port: over_udp(host, port + offset)


every_transport = pytest.mark.parametrize("make", [over_tcp, over_udp, over_icmp])


def narrow(**changes: object) -> Router:
    """PORTS ports, none of which is shared."""
    return Router(policy(ports=((10_000, 9_999 + PORTS),), sessions=10_000, **changes), capacity=10_000)


def flood(router: Router, make: Make, count: int) -> int:
    """How many sessions begin of so many, each from a source of its own."""
    sources = [LAN[30 + number % 200] for number in range(count)]
    return [router.try_out(make(source, 3000 + number))[0] for number, source in enumerate(sources)].count("")


def answered(router: Router, host: IPv4Address, port: int) -> int:
    """The external port of a UDP session that both sides have sent in."""
    near = read(router.out(over_udp(host, port))).source_port
    router.into(udp(SERVER, 80, EXTERNAL, near))
    return near


def opened(router: Router, host: IPv4Address, port: int) -> int:
    """The external port of a TCP connection that is open."""
    near = read(router.out(over_tcp(host, port))).source_port
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    return near


@every_transport
def test_a_flood_from_spoofed_sources_keeps_nobody_out(make: Make) -> None:
    router = narrow()
    assert flood(router, make, 1000) == PORTS
    for _ in range(3):
        router.now += 2
        for port in range(20):
            assert router.out(make(OTHER_CLIENT, 50_000 + 100 * router.now % 10_000 + port))
    assert sum(router.table.counters().evicted) >= 60
    assert_whole(router.table)


@every_transport
def test_the_oldest_goes_first(make: Make) -> None:
    router = narrow()
    for number in range(PORTS):
        router.now += 1
        router.out(make(CLIENT, 3000 + number))
    router.now += 2
    router.out(make(OTHER_CLIENT, 3000))
    first = min(row.internal[1] for row in router.rows() if row.internal[0] == CLIENT)
    gone = 3000 + PORTS - len([row for row in router.rows() if row.internal[0] == CLIENT])
    assert first == 3000 + (gone - 3000) > 3000


def test_an_answered_session_never_gives_way() -> None:
    router = narrow()
    near = [answered(router, CLIENT, 3000 + number) for number in range(PORTS)]
    router.now += 100
    assert flood(router, over_udp, 200) == 0
    assert sum(router.table.counters().evicted) == 0
    for number, port in enumerate(near):
        assert read(router.out(over_udp(CLIENT, 3000 + number))).source_port == port


def test_an_open_connection_never_gives_way() -> None:
    router = narrow()
    near = [opened(router, CLIENT, 3000 + number) for number in range(PORTS)]
    router.now += 1000
    assert flood(router, over_tcp, 200) == 0
    for number, port in enumerate(near):
        data = tcp(CLIENT, 3000 + number, SERVER, 80, ACK)
        assert read(router.out(data)).source_port == port


def test_a_connection_that_an_rst_claims_is_over_never_gives_way() -> None:
    """An RST may be forged (RFC 7857 section 2.2)."""
    router = narrow()
    for number in range(PORTS):
        near = opened(router, CLIENT, 3000 + number)
        router.into(tcp(SERVER, 80, EXTERNAL, near, RST | ACK))
    router.now += 100
    assert flood(router, over_tcp, 200) == 0


@pytest.mark.parametrize("end", ["closed", "refused"])
def test_a_connection_that_is_over_gives_way(end: str) -> None:
    router = narrow()
    for number in range(PORTS):
        near = read(router.out(over_tcp(CLIENT, 3000 + number))).source_port
        if end == "refused":
            router.into(tcp(SERVER, 80, EXTERNAL, near, RST | ACK))
            continue
        router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
        router.out(tcp(CLIENT, 3000 + number, SERVER, 80, FIN | ACK))
        router.into(tcp(SERVER, 80, EXTERNAL, near, FIN | ACK))
    router.now += 3
    assert flood(router, over_tcp, 20) == 20


def test_one_that_sends_on_without_an_answer_stays_while_it_sends() -> None:
    """As syslog does."""
    router = narrow()
    near = read(router.out(over_udp(CLIENT, 2000))).source_port
    for second in range(20):
        router.now += 1
        assert read(router.out(over_udp(CLIENT, 2000))).source_port == near
        flood(router, from_other_ports(500 * second), 30)
    assert router.out(over_udp(OTHER_CLIENT, 2000))


def test_none_gives_way_that_waits_for_its_first_answer() -> None:
    router = narrow()
    assert flood(router, over_udp, PORTS) == PORTS
    router.now += 1
    assert flood(router, from_other_ports(1000), 3) == 3, "none is left: the oldest"
    assert sum(router.table.counters().evicted) == 3


def test_while_there_is_room_nothing_gives_way() -> None:
    router = narrow()
    assert flood(router, over_udp, PORTS - 8) == PORTS - 8
    router.now += 100
    assert router.out(over_udp(OTHER_CLIENT, 2000))
    assert sum(router.table.counters().evicted) == 0


def test_a_full_table_keeps_nobody_out() -> None:
    """One UDP port, and a remote endpoint for each session, from many sources."""
    router = Router(policy(sessions=320), capacity=320)
    for number in range(1000):
        router.try_out(udp(LAN[1 + number % 250], 3000, SERVER, 1 + number))
    router.now += 2
    near = answered(router, OTHER_CLIENT, 2000)
    for number in range(100):
        router.now += number % 2
        assert router.out(udp(OTHER_CLIENT, 2000, OTHER_SERVER, 1 + number))
    assert read(router.out(over_udp(OTHER_CLIENT, 2000))).source_port == near
    assert_whole(router.table)


def test_an_answer_leaves_the_line_after_a_restart_and_another_policy_too(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    before = Router(policy(ports=((10_000, 10_063),)), path=path)
    near = answered(before, CLIENT, 3000)
    before.out(over_udp(CLIENT, 3001))
    before.table.close()
    after = Router(policy(ports=((10_000, 10_001),)), path=path)
    after.now += 5
    for _ in range(2):
        after.table.configure(policy(ports=((10_000, 10_000),)))
        after.table.configure(policy(ports=((10_000, 10_063),)))
    for number in range(200):
        after.now += 1
        after.try_out(over_udp(OTHER_CLIENT, 4000 + number))
    assert (EXTERNAL, near) in {row.external for row in after.rows() if row.internal == (CLIENT, 3000)}
    assert_whole(after.table)


def test_a_portless_session_that_nobody_answers_yields_the_remote_host_to_another() -> None:
    router = Router()
    router.out(portless(CLIENT, SERVER, GRE))
    assert router.try_out(portless(OTHER_CLIENT, SERVER, GRE))[0] == "portless_remote_taken"
    router.now += 2
    assert router.out(portless(OTHER_CLIENT, SERVER, GRE))
    router.into(portless(SERVER, EXTERNAL, GRE))
    router.now += 10
    assert router.try_out(portless(CLIENT, SERVER, GRE))[0] == "portless_remote_taken", "it is answered"


# A reload -------------------------------------------------------------------------------------------------

SHORTER, LONGER = 20, 3000
"""Seconds, where the timers of unanswered sessions are 240 and 300."""


def others(seconds: int) -> Timeouts:
    """All timers that an unanswered session can have."""
    return Timeouts(udp=seconds, tcp_transitory=seconds, icmp=seconds)


def reload(router: Router, seconds: int) -> None:
    """All else stays."""
    router.table.configure(
        policy(ports=((10_000, 9_999 + PORTS),), sessions=10_000, timeouts=others(seconds))
    )


@every_transport
@pytest.mark.parametrize(
    "reloads",
    [(SHORTER,), (LONGER,), (SHORTER, LONGER), (LONGER, 700, 5), (10, 20, 30, 40, 50)],
    ids=str,
)
def test_other_timeouts_make_no_session_look_longer_or_shorter_idle(
    make: Make, reloads: tuple[int, ...]
) -> None:
    router = narrow()
    flood(router, make, PORTS)
    router.now += 1
    for seconds in reloads:
        reload(router, seconds)
    router.now -= 1
    assert router.try_out(make(OTHER_CLIENT, 50_000))[0] == "ports_exhausted", "none is idle yet"
    router.now += 2
    assert router.out(make(OTHER_CLIENT, 50_000))
    assert_whole(router.table)


@every_transport
@pytest.mark.parametrize("seconds", [SHORTER, LONGER])
def test_one_that_has_sent_since_a_reload_is_idle_since_then(make: Make, seconds: int) -> None:
    router = narrow()
    flood(router, make, PORTS)
    reload(router, seconds)
    router.now += 5
    flood(router, make, PORTS)
    assert router.try_out(make(OTHER_CLIENT, 50_000))[0] == "ports_exhausted"
    router.now += 2
    assert router.out(make(OTHER_CLIENT, 50_000))


@every_transport
def test_one_that_began_since_a_reload_is_idle_since_then(make: Make) -> None:
    router = narrow()
    for seconds in (SHORTER, LONGER):
        reload(router, seconds)
        flood(router, make, PORTS)
        assert router.try_out(make(OTHER_CLIENT, 50_000))[0] == "ports_exhausted"
        router.now += 2
        assert router.out(make(OTHER_CLIENT, 50_000))
        router.table.flush()


def test_a_reload_while_there_is_no_address_counts_too() -> None:
    router = narrow()
    flood(router, over_udp, PORTS)
    rules = {"ports": ((10_000, 9_999 + PORTS),), "sessions": 10_000, "timeouts": others(LONGER)}
    router.table.configure(policy(external=(), **rules))
    router.table.configure(policy(**rules))
    assert router.try_out(over_udp(OTHER_CLIENT, 50_000))[0] == "ports_exhausted"
    router.now += 2
    assert router.out(over_udp(OTHER_CLIENT, 50_000))


def test_any_number_of_reloads_leaves_the_table_whole() -> None:
    router = narrow()
    flood(router, over_udp, PORTS)
    for seconds in range(100, 120):
        reload(router, seconds)
    assert router.try_out(over_udp(OTHER_CLIENT, 50_000))[0] == "ports_exhausted"
    router.now += 2
    assert router.out(over_udp(OTHER_CLIENT, 50_000))
    assert router.wait(1000) >= PORTS - 2
    assert router.rows() == []
    assert_whole(router.table)
