"""What is left for a newcomer. Nothing that lives is ever ended to make room (RFC 6888 REQ-11)."""

import pytest

from .packets import ACK, GRE, SYN, portless, query, read, tcp, udp
from .router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy


@pytest.mark.parametrize("capacity", [4, 64])
def test_a_full_table_refuses_the_newcomer_and_keeps_the_rest(capacity: int) -> None:
    """Full by the policy, or by the arena whatever the policy says."""
    router = Router(policy(sessions=4 if capacity > 4 else 1000), capacity=capacity)
    for port in range(40000, 40004):
        router.out(udp(CLIENT, port, SERVER, 53))
    before = router.rows(), router.table.gauges(), router.table.hosts()
    for newcomer in (
        udp(CLIENT, 40004, SERVER, 53),
        udp(CLIENT, 40000, OTHER_SERVER, 53),
        udp(OTHER_CLIENT, 40000, SERVER, 53),
        tcp(CLIENT, 40000, SERVER, 80),
        query(CLIENT, SERVER, 7),
        portless(CLIENT, SERVER, GRE),
    ):
        assert router.try_out(newcomer) == ("sessions_full", b"")
    assert (router.rows(), router.table.gauges(), router.table.hosts()) == before
    assert router.out(udp(CLIENT, 40000, SERVER, 53))


def test_a_full_table_refuses_a_newcomer_from_outside() -> None:
    router = Router(policy(sessions=1))
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    assert router.try_in(udp(SERVER, 54, EXTERNAL, near))[0] == "sessions_full"
    assert router.into(udp(SERVER, 53, EXTERNAL, near))


def test_a_session_that_ends_makes_room() -> None:
    router = Router(policy(sessions=2), capacity=2)
    for round_of in range(50):
        for port in (40000, 40001):
            assert router.out(udp(CLIENT, port + 2 * round_of, SERVER, 53))
        assert router.try_out(udp(CLIENT, 39999, SERVER, 53))[0] == "sessions_full"
        assert router.wait(300) == 2


def test_a_host_may_have_so_many_sessions() -> None:
    router = Router(policy(sessions_per_host=3))
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    router.out(udp(CLIENT, 40001, SERVER, 53))
    router.out(tcp(CLIENT, 40000, SERVER, 80))
    for newcomer in (
        udp(CLIENT, 40002, SERVER, 53),
        query(CLIENT, SERVER, 7),
        udp(CLIENT, 40000, OTHER_SERVER, 9),
    ):
        assert router.try_out(newcomer) == ("host_sessions_full", b"")
    assert router.try_in(udp(SERVER, 54, EXTERNAL, near)) == ("host_sessions_full", b"")
    assert router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))
    assert router.table.hosts() == {CLIENT: (3, 3), OTHER_CLIENT: (1, 1)}
    router.wait(240)
    assert router.out(query(CLIENT, SERVER, 7)), "the connection that nobody answered has ended"


def test_a_host_may_have_so_many_ports() -> None:
    router = Router(policy(ports_per_host=2))
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.out(tcp(CLIENT, 40000, SERVER, 80))
    assert router.try_out(udp(CLIENT, 40001, SERVER, 53)) == ("host_ports_full", b"")
    assert router.out(udp(CLIENT, 40000, OTHER_SERVER, 53)), "no new port is needed"
    assert router.out(udp(OTHER_CLIENT, 40001, SERVER, 53))


def test_an_unlimited_host_may_fill_the_table() -> None:
    router = Router(policy(sessions_per_host=0, ports_per_host=0))
    for port in range(40000, 40064):
        assert router.out(udp(CLIENT, port, SERVER, 53))


def test_a_lower_limit_ends_nothing() -> None:
    router = Router()
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert router.table.configure(policy(sessions=1, sessions_per_host=1, ports_per_host=1)) == 0
    assert router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    assert router.out(udp(CLIENT, 40000, SERVER, 53))
    assert len(router.rows()) == 2
