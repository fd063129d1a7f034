"""What no session explains is let by in PREROUTING, and dropped if it is still for the router in LOCAL_IN."""

import pytest
from support.packets import (
    ACK,
    ECHO_REPLY,
    GRE,
    SYN,
    TCP,
    UNREACHABLE,
    error,
    portless,
    query,
    read,
    tcp,
    udp,
)
from support.router import CLIENT, EXTERNAL, HOP, OTHER_SERVER, SERVER, Router, policy

from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget

WEB = Forward(TCP, None, (80, 80), (ForwardTarget(CLIENT),))
DEFAULT = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(CLIENT),))


def looks(router: Router, packet: bytes) -> tuple[bool, str]:
    """Is it let by at the first look, and why is it dropped at the second?"""
    let_by = router.passed(packet, inbound=True)
    reason, _ = router.table.translate(packet, inbound=True, second_look=True, now=router.now)
    return let_by, reason


@pytest.fixture
def near(router: Router) -> int:
    """The external port of a mapping that has spoken with SERVER over UDP."""
    return read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port


@pytest.mark.parametrize("flags", [SYN, ACK, SYN | ACK])
def test_nobodys_port_may_be_anothers(router: Router, flags: int) -> None:
    assert looks(router, tcp(SERVER, 80, EXTERNAL, 5000, flags)) == (True, "no_mapping")
    assert router.rows() == []


def test_a_stranger_to_a_mapping_may_be_anothers_peer(router: Router, near: int) -> None:
    assert looks(router, udp(OTHER_SERVER, 53, EXTERNAL, near)) == (True, "filtered")
    assert len(router.rows()) == 1


def test_a_segment_of_no_connection_may_belong_to_anothers() -> None:
    router = Router(policy(forwards=(WEB,)))
    assert looks(router, tcp(SERVER, 1234, EXTERNAL, 80, SYN | ACK)) == (True, "tcp_no_session")


def test_an_error_about_no_session_may_be_about_anothers(router: Router, near: int) -> None:
    """Without it the path MTU of what conntrack translates would stay unknown."""
    quoted = udp(EXTERNAL, near, OTHER_SERVER, 53)
    assert looks(router, error(HOP, EXTERNAL, quoted, UNREACHABLE, 4)) == (True, "icmp_error_unmatched")


@pytest.mark.parametrize("packet", [query(SERVER, EXTERNAL, 7), query(SERVER, EXTERNAL, 7, ECHO_REPLY)])
def test_a_ping_is_for_the_router_at_either_look(router: Router, packet: bytes) -> None:
    assert looks(router, packet) == (True, "")


def test_a_tunnel_is_for_the_router_at_either_look(router: Router) -> None:
    assert looks(router, portless(SERVER, EXTERNAL, GRE)) == (True, "")


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (udp(CLIENT, 53, EXTERNAL, 5000), "source_internal"),
        (udp(EXTERNAL, 53, EXTERNAL, 5000), "source_ours"),
        (udp(SERVER, 53, CLIENT, 5000), "destination_internal"),
    ],
)
def test_a_false_address_is_dropped_at_the_first_look(router: Router, packet: bytes, reason: str) -> None:
    assert router.table.translate(packet, inbound=True, now=router.now) == (reason, b"")


def test_a_session_that_has_begun_since_the_first_look_is_not_carried_on(router: Router, near: int) -> None:
    """The packet is routed into the router by now; the next one finds the session in time."""
    answer = udp(SERVER, 53, EXTERNAL, near)
    before = router.rows()
    assert router.table.translate(answer, inbound=True, second_look=True, now=router.now)[0] != ""
    assert router.rows() == before
    assert read(router.into(answer)).destination == CLIENT


def test_the_second_look_begins_nothing() -> None:
    router = Router(policy(forwards=(WEB,)))
    syn = tcp(SERVER, 1234, EXTERNAL, 80)
    assert router.table.translate(syn, inbound=True, second_look=True)[0] == "no_mapping"
    assert router.rows() == []


def test_the_first_look_counts_no_drop(router: Router) -> None:
    router.table.translate(tcp(SERVER, 80, EXTERNAL, 5000), inbound=True, now=router.now)
    counters = router.table.counters()
    assert (sum(counters.dropped), counters.passed) == (0, 1)
    assert router.table.refusals(router.now + 10) == [], "nothing is answered that another program may take"


def test_without_conntrack_to_ask_the_default_host_gets_all() -> None:
    """The stand has no socket to ask by."""
    router = Router(policy(forwards=(DEFAULT,)))
    assert read(router.into(udp(SERVER, 53, EXTERNAL, 5000))).destination == CLIENT
    assert router.into(portless(SERVER, EXTERNAL, GRE))
    assert router.table.counters().passed == 0
    assert [row.packets_in for row in router.rows()] == [1, 1]


def test_a_segment_of_no_connection_to_the_default_host_is_let_by() -> None:
    router = Router(policy(forwards=(DEFAULT,)))
    assert looks(router, tcp(SERVER, 80, EXTERNAL, 5000, ACK)) == (True, "tcp_no_session")
