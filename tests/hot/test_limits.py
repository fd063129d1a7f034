"""What is left for a newcomer. Nothing that lives is ever ended to make room (RFC 6888 REQ-11)."""

import pytest
from support.packets import ACK, FIN, GRE, RST, SYN, portless, query, read, tcp, udp
from support.router import ALL, CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy


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
    router = Router(policy(sessions_per_host=ALL, ports_per_host=ALL))
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


def test_so_many_handshakes_may_be_under_way() -> None:
    router = Router(policy(half_open=2))
    near = read(router.out(tcp(CLIENT, 1, SERVER, 80))).source_port
    router.out(tcp(OTHER_CLIENT, 2, SERVER, 80))
    assert router.try_out(tcp(CLIENT, 3, SERVER, 80)) == ("half_open_full", b"")
    assert router.out(udp(CLIENT, 3, SERVER, 53)), "only TCP has handshakes"
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    assert router.out(tcp(CLIENT, 3, SERVER, 80))


@pytest.mark.parametrize("over", [RST | ACK, SYN | ACK])
def test_a_handshake_ends_by_an_answer_or_in_time(over: int) -> None:
    router = Router(policy(half_open_per_host=1))
    for port in range(1, 20):
        near = read(router.out(tcp(CLIENT, port, SERVER, 80))).source_port
        assert router.try_out(tcp(CLIENT, 99, SERVER, 80)) == ("host_half_open_full", b"")
        assert router.out(tcp(OTHER_CLIENT, port, SERVER, 80)) if port == 1 else True
        router.into(tcp(SERVER, 80, EXTERNAL, near, over))
    router.out(tcp(CLIENT, 20, SERVER, 80))
    assert router.try_out(tcp(CLIENT, 21, SERVER, 80))[0] == "host_half_open_full"
    router.wait(240)
    assert router.out(tcp(CLIENT, 21, SERVER, 80))


def test_a_connection_that_begins_anew_is_under_way_again() -> None:
    router = Router(policy(half_open_per_host=1))
    near = read(router.out(tcp(CLIENT, 1, SERVER, 80))).source_port
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    router.out(tcp(CLIENT, 1, SERVER, 80, FIN | ACK))
    router.into(tcp(SERVER, 80, EXTERNAL, near, FIN | ACK))
    router.out(tcp(CLIENT, 1, SERVER, 80))
    assert router.try_out(tcp(CLIENT, 2, SERVER, 80))[0] == "host_half_open_full"


@pytest.mark.parametrize("key", ["new_per_second", "new_per_second_per_host"])
def test_so_many_sessions_may_begin_in_one_second(key: str) -> None:
    router = Router(policy(**{key: 3}))
    for _ in range(3):
        for port in range(3):
            assert router.out(udp(CLIENT, 1000 + 10 * router.now % 60000 + port, SERVER, 53))
        assert router.try_out(udp(CLIENT, 999, SERVER, 53))[0].endswith("rate_exceeded")
        others = router.try_out(udp(OTHER_CLIENT, router.now % 60000 + 1, SERVER, 53))[0]
        assert others == ("" if "host" in key else "rate_exceeded")
        assert router.out(udp(CLIENT, 1000 + 10 * router.now % 60000, SERVER, 53)), "it lives already"
        router.wait(1)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"sessions_per_host": 8}, "host_sessions_full"),
        ({"sessions": 8}, "sessions_full"),
        ({"new_per_second": 8}, "rate_exceeded"),
        ({"new_per_second_per_host": 8}, "host_rate_exceeded"),
    ],
    ids=str,
)
def test_the_world_outside_uses_up_no_more_than_half_of_what_a_host_may_have(
    limit: dict[str, int], reason: str
) -> None:
    router = Router(policy(**limit))
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    came = [router.try_in(udp(SERVER, port, EXTERNAL, near))[0] for port in range(1000, 1020)]
    assert came.count("") in (3, 4)
    assert set(came) == {"", reason}
    for port in range(3):
        assert router.out(udp(CLIENT, 40001 + port, OTHER_SERVER, 53))


@pytest.mark.parametrize(
    ("limit", "reason"), [("half_open", "half_open_full"), ("half_open_per_host", "host_half_open_full")]
)
def test_half_open_sessions_from_outside_leave_room_too(limit: str, reason: str) -> None:
    router = Router(policy(**{limit: 8}))
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    came = [router.try_in(tcp(SERVER, port, EXTERNAL, near))[0] for port in range(1000, 1020)]
    assert came.count("") == 3, "with its own, half of them"
    assert set(came) == {"", reason}
    assert router.out(tcp(CLIENT, 40001, SERVER, 80))


def test_what_nobody_answered_makes_room_when_it_ends() -> None:
    router = Router(policy(sessions=8))
    for _ in range(3):
        near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
        came = [router.try_in(udp(SERVER, port, EXTERNAL, near))[0] for port in range(1000, 1006)]
        assert came.count("") == 4
        for _ in range(2):
            router.wait(150)
            router.out(udp(CLIENT, 40000, SERVER, 53))
        assert len(router.rows()) == 1


def test_what_the_host_has_answered_is_its_own_session() -> None:
    router = Router(policy(sessions_per_host=4))
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    for port in (1000, 1001, 1002):
        router.into(udp(SERVER, port, EXTERNAL, near))
        router.out(udp(CLIENT, 40000, SERVER, port))
    assert router.try_in(udp(SERVER, 1003, EXTERNAL, near))[0] == "host_sessions_full"
    router.wait(300)
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    for port in (1000, 1001):
        router.into(udp(SERVER, port, EXTERNAL, near))
    assert router.try_in(udp(SERVER, 1003, EXTERNAL, near))[0] == "host_sessions_full"
