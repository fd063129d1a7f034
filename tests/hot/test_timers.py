"""When sessions end, TCP's apart: after so many seconds without a packet, and for no other reason."""

import pytest
from support.packets import ACK, GRE, RST, SYN, portless, query, read, tcp, udp
from support.router import CLIENT, EXTERNAL, OTHER_SERVER, SERVER, Router, policy

from nfmasq.core.policy import Timeouts

TIMEOUTS = Timeouts(udp=120, udp_dns=120, tcp_established=9000, tcp_transitory=40, icmp=30, other=200)
OTHERS = {
    "udp": (udp(CLIENT, 40000, SERVER, 53), 120),
    "icmp": (query(CLIENT, SERVER, 7), 30),
    "portless": (portless(CLIENT, SERVER, GRE), 200),
}


def answer_to(sent: bytes) -> bytes:
    """What the server answers to a packet that left."""
    near = read(sent)
    answers = {
        17: lambda: udp(SERVER, near.destination_port, near.source, near.source_port),
        1: lambda: query(SERVER, near.source, near.source_port, kind=0),
        GRE: lambda: portless(SERVER, near.source, GRE),
    }
    return answers[sent[9]]()


@pytest.mark.parametrize(("packet", "timeout"), OTHERS.values(), ids=OTHERS)
def test_a_session_ends_after_its_idle_time_and_not_before(packet: bytes, timeout: int) -> None:
    router = Router(policy(timeouts=TIMEOUTS))
    router.out(packet)
    assert router.row().expires_s == timeout
    assert router.wait(timeout - 1) == 0
    assert router.wait(1) == 1
    assert router.rows() == []
    assert router.table.mappings() == []
    assert router.table.hosts() == {}


@pytest.mark.parametrize(("packet", "timeout"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("answered", [False, True], ids=["from inside", "from outside"])
def test_a_packet_either_way_starts_the_idle_time_again(packet: bytes, timeout: int, answered: bool) -> None:
    router = Router(policy(timeouts=TIMEOUTS))
    sent = router.out(packet)
    for _ in range(3):
        assert router.wait(timeout - 1) == 0
        if answered:
            router.into(answer_to(sent))
        else:
            router.out(packet)
    assert router.row().expires_s == timeout
    assert router.wait(timeout - 1) == 0
    assert router.wait(1) == 1


def test_one_session_s_packets_refresh_no_other(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.out(udp(CLIENT, 40000, OTHER_SERVER, 53))
    router.wait(200)
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert router.wait(100) == 1
    assert router.row().remote == (SERVER, 53)


def test_sessions_of_many_seconds_all_end_each_in_its_own() -> None:
    router = Router(policy(sessions=2000), capacity=2000)
    for port in range(1, 1001):
        router.out(udp(CLIENT, port, SERVER, 53))
        router.now += 1
    router.wait(0)
    assert {row.expires_s for row in router.rows()} == set(range(1, 300))
    for left in range(299, 0, -1):
        assert router.wait(1) == 1
        assert router.table.gauges().sessions[1] == left - 1


@pytest.mark.parametrize("timeout", [1, 2, 8190, 8191, 8192, 8193, 20_000, 1_000_000])
def test_any_timeout_holds_though_the_wheel_is_shorter(timeout: int) -> None:
    router = Router(policy(timeouts=Timeouts(udp=timeout, udp_dns=timeout)))
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert router.wait(timeout - 1) == 0
    assert router.wait(1) == 1


def test_time_may_leap_past_the_whole_wheel(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.now += 50_000
    assert router.table.expire(router.now) == 1
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert router.wait(299) == 0
    assert router.wait(1) == 1


def test_a_worker_whose_clock_is_a_little_behind_begins_no_endless_session() -> None:
    """It read the clock before another worker advanced the wheel."""
    router = Router(policy(timeouts=Timeouts(udp=1, udp_dns=1)))
    router.wait(10)
    router.table.translate(udp(CLIENT, 40000, SERVER, 53), now=router.now - 3)
    assert router.wait(1) == 1


def test_packets_alone_move_time_on(router: Router) -> None:
    """Nobody calls `expire` in the daemon: the workers' batches turn the wheel."""
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.now += 300
    router.try_in(udp(OTHER_SERVER, 9, EXTERNAL, 9))
    assert router.rows() == []
    assert router.table.counters().expired == (0, 1, 0, 0)


def test_a_shorter_timeout_of_a_new_policy_holds_from_the_next_packet_on(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.table.configure(policy(timeouts=Timeouts(udp=20, udp_dns=20)))
    assert router.row().expires_s == 300
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert router.wait(19) == 0
    assert router.wait(1) == 1


def test_a_longer_timeout_of_a_new_policy_holds_from_the_next_packet_on(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.table.configure(policy(timeouts=Timeouts(udp=10_000, udp_dns=10_000)))
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert router.wait(9_999) == 0
    assert router.wait(1) == 1


def test_an_opening_and_a_closing_connection_may_have_timers_of_their_own() -> None:
    """RFC 7857 section 2.1."""
    router = Router(policy(timeouts=Timeouts(tcp_opening=300, tcp_closing=500)))
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    assert router.row().expires_s == 300
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    assert router.row().expires_s == 7440
    router.into(tcp(SERVER, 80, EXTERNAL, near, RST))
    assert router.row().expires_s == 500


def test_what_comes_from_outside_keeps_no_session_alive_that_the_host_takes_no_part_in() -> None:
    """RFC 7857 section 7."""
    router = Router(policy(timeouts=TIMEOUTS))
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    unanswered, answered = (udp(SERVER, port, EXTERNAL, near) for port in (54, 55))
    router.into(unanswered)
    router.into(answered)
    router.out(udp(CLIENT, 40000, SERVER, 55))
    for _ in range(2):
        router.wait(50)
        router.into(unanswered)
        router.into(answered)
    router.wait(20)
    assert [row.remote[1] for row in router.rows()] == [55]
