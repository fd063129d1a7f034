"""Forwards: external endpoints that lead to internal hosts (RFC 2391, RFC 6888 REQ-8 B)."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from support.packets import (
    ACK,
    ECHO_REPLY,
    GRE,
    ICMP,
    SYN,
    TCP,
    UDP,
    UNREACHABLE,
    error,
    portless,
    query,
    quote_of,
    read,
    sums_are_right,
    tcp,
    udp,
)
from support.router import (
    CLIENT,
    EXTERNAL,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    OTHER_SERVER,
    SERVER,
    Router,
    policy,
)

from hot.restarting import restarted
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Filtering, Forward, ForwardTarget

WEB = Forward(TCP, None, (8080, 8080), (ForwardTarget(CLIENT, (80, 80)),))
RANGE = Forward(UDP, None, (6000, 6009), (ForwardTarget(CLIENT, (7000, 7009)),))
FUNNEL = Forward(UDP, None, (6000, 6009), (ForwardTarget(CLIENT, (7000, 7000)),))
WHOLE = Forward(ANY_PROTOCOL, OTHER_EXTERNAL, ALL_PORTS, (ForwardTarget(CLIENT),))
DEFAULT_HOST = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(CLIENT),))
THREE = [IPv4Address(f"192.168.1.{n}") for n in (1, 2, 3)]
SHARED = Forward(TCP, None, (8080, 8080), tuple(ForwardTarget(host, (80, 80)) for host in THREE))
BOTH = (EXTERNAL, OTHER_EXTERNAL)


def forwarding(*forwards: Forward, **changes: Any) -> Router:
    """A router with these forwards, the most specific first."""
    return Router(policy(forwards=forwards, **changes))


def test_a_port_leads_to_another_port_of_an_internal_host_and_back() -> None:
    router = forwarding(WEB)
    came = router.into(tcp(SERVER, 5000, EXTERNAL, 8080))
    assert read(came) == (SERVER, 5000, CLIENT, 80)
    assert sums_are_right(came)
    answer = router.out(tcp(CLIENT, 80, SERVER, 5000, SYN | ACK))
    assert read(answer) == (EXTERNAL, 8080, SERVER, 5000)
    assert router.row().state == "established"


def test_other_ports_and_protocols_are_not_led_anywhere() -> None:
    router = forwarding(WEB)
    assert router.try_in(tcp(SERVER, 5000, EXTERNAL, 8081))[0] == "no_mapping"
    assert router.try_in(udp(SERVER, 5000, EXTERNAL, 8080))[0] == "no_mapping"


@pytest.mark.parametrize("offset", [0, 1, 9])
def test_a_range_leads_port_by_port_to_another_base(offset: int) -> None:
    router = forwarding(RANGE)
    assert read(router.into(udp(SERVER, 5000, EXTERNAL, 6000 + offset))).destination_port == 7000 + offset
    assert router.try_in(udp(SERVER, 5000, EXTERNAL, 6010))[0] == "no_mapping"
    assert router.try_in(udp(SERVER, 5000, EXTERNAL, 5999))[0] == "no_mapping"


def test_a_range_may_lead_to_one_port() -> None:
    router = forwarding(FUNNEL)
    for number, port in enumerate((6000, 6005, 6009)):
        assert read(router.into(udp(SERVER, 5000 + number, EXTERNAL, port))).destination_port == 7000
    assert router.try_in(udp(SERVER, 5000, EXTERNAL, 6003))[0] == "session_clash"


def test_what_a_forwarded_endpoint_begins_goes_out_by_its_external_endpoint() -> None:
    """A static mapping is a mapping: both ways (RFC 4787 REQ-1)."""
    router = forwarding(RANGE)
    assert read(router.out(udp(CLIENT, 7003, SERVER, 53)))[:2] == (EXTERNAL, 6003)
    assert read(router.out(udp(CLIENT, 7003, OTHER_SERVER, 53)))[:2] == (EXTERNAL, 6003)
    assert read(router.out(udp(OTHER_CLIENT, 7003, SERVER, 53))).source_port != 6003


def test_a_range_of_any_protocol_is_a_mapping_of_all_that_have_ports() -> None:
    router = forwarding(Forward(ANY_PROTOCOL, None, RANGE.ports, RANGE.targets))
    assert read(router.out(udp(CLIENT, 7003, SERVER, 53))).source_port == 6003
    assert read(router.out(tcp(CLIENT, 7004, SERVER, 80))).source_port == 6004
    router.out(query(CLIENT, SERVER, 7003))
    assert router.passed(query(SERVER, EXTERNAL, 7003), inbound=True)


def test_an_address_that_leads_to_one_port_is_not_given_to_its_host_whole() -> None:
    one_port = Forward(ANY_PROTOCOL, OTHER_EXTERNAL, ALL_PORTS, (ForwardTarget(CLIENT, (80, 80)),))
    router = forwarding(one_port, external=BOTH)
    assert read(router.into(tcp(SERVER, 5000, OTHER_EXTERNAL, 443)))[2:] == (CLIENT, 80)
    assert 1024 <= read(router.out(tcp(CLIENT, 80, SERVER, 5001))).source_port <= 32767


def test_an_address_given_to_one_host_whole() -> None:
    router = forwarding(WHOLE, external=BOTH)
    assert read(router.into(tcp(SERVER, 5000, OTHER_EXTERNAL, 22))) == (SERVER, 5000, CLIENT, 22)
    assert read(router.into(udp(SERVER, 5000, OTHER_EXTERNAL, 65535)))[2:] == (CLIENT, 65535)
    assert read(router.into(portless(SERVER, OTHER_EXTERNAL, GRE))).destination == CLIENT
    assert read(router.out(portless(CLIENT, SERVER, GRE))).source == OTHER_EXTERNAL
    assert read(router.out(udp(CLIENT, 123, OTHER_SERVER, 123)))[:2] == (OTHER_EXTERNAL, 123)
    assert read(router.out(query(CLIENT, SERVER, 7)))[:2] == (OTHER_EXTERNAL, 7)


def test_a_given_address_is_nobody_elses() -> None:
    router = forwarding(WHOLE, external=BOTH, sessions=300)
    for last in range(100, 200):
        host = IPv4Address(f"192.168.1.{last}")
        assert read(Router.out(router, udp(host, 40000, SERVER, 53))).source == EXTERNAL
        router.table.flush(host)
    assert router.table.gauges().ports_capacity[0] == 32767 - 1024 + 1


def test_the_host_of_a_given_address_can_be_pinged() -> None:
    router = forwarding(WHOLE, external=BOTH)
    came = router.into(query(SERVER, OTHER_EXTERNAL, 77))
    assert read(came) == (SERVER, 77, CLIENT, 77)
    assert sums_are_right(came)
    answer = router.out(query(CLIENT, SERVER, 77, ECHO_REPLY))
    assert read(answer) == (OTHER_EXTERNAL, 77, SERVER, 77)
    assert sums_are_right(answer)
    own = router.out(query(CLIENT, SERVER, 77))
    assert read(own)[:2] == (OTHER_EXTERNAL, 77), "its own question with the same number is another session"
    assert len(router.rows()) == 2


def test_an_error_about_a_forwarded_ping_finds_its_way() -> None:
    router = forwarding(WHOLE, external=BOTH)
    came = router.into(query(SERVER, OTHER_EXTERNAL, 77))
    sent = router.out(error(CLIENT, SERVER, came, UNREACHABLE, 1))
    assert read(sent).source == OTHER_EXTERNAL
    assert quote_of(sent) == query(SERVER, OTHER_EXTERNAL, 77)
    assert sums_are_right(sent)


def test_the_default_host_gets_what_nobody_else_claims() -> None:
    router = forwarding(WEB, DEFAULT_HOST)
    near = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))).source_port
    assert read(router.into(udp(SERVER, 53, EXTERNAL, near))).destination == OTHER_CLIENT
    assert read(router.into(tcp(SERVER, 5000, EXTERNAL, 8080)))[2:] == (CLIENT, 80)
    assert read(router.into(tcp(SERVER, 5000, EXTERNAL, 9999)))[2:] == (CLIENT, 9999)
    assert read(router.into(portless(SERVER, EXTERNAL, GRE))).destination == CLIENT
    assert router.passed(query(SERVER, EXTERNAL, 7), inbound=True), "the router answers pings itself"


def test_what_comes_to_a_mapping_that_lets_it_in_is_not_for_the_default_host() -> None:
    """Games and calls of the other hosts go on working meanwhile."""
    router = forwarding(DEFAULT_HOST, filtering_udp=Filtering.ENDPOINT_INDEPENDENT)
    near = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))).source_port
    assert read(router.into(udp(OTHER_SERVER, 9, EXTERNAL, near)))[2:] == (OTHER_CLIENT, 40000)
    other = read(router.out(tcp(OTHER_CLIENT, 40000, SERVER, 80))).source_port
    assert read(router.into(tcp(OTHER_SERVER, 9, EXTERNAL, other)))[2:] == (CLIENT, other), "it is filtered"


def test_an_address_given_to_one_host_is_its_whatever_mappings_are_left_there() -> None:
    router = Router(policy(external=(OTHER_EXTERNAL,), filtering=Filtering.ENDPOINT_INDEPENDENT))
    near = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))).source_port
    router.table.configure(policy(external=BOTH, forwards=(WHOLE,), filtering=Filtering.ENDPOINT_INDEPENDENT))
    assert read(router.into(udp(OTHER_SERVER, 9, OTHER_EXTERNAL, near))).destination == CLIENT
    assert read(router.into(udp(SERVER, 53, OTHER_EXTERNAL, near))).destination == OTHER_CLIENT


def test_who_sends_to_every_port_of_the_default_host_takes_none_from_the_others() -> None:
    router = forwarding(DEFAULT_HOST, ports=((5000, 5009),))
    for port in range(5000, 5010):
        router.into(udp(SERVER, 9, EXTERNAL, port))
    for port in range(40000, 40005):
        sent = read(router.out(udp(OTHER_CLIENT, port, OTHER_SERVER, 53)))
        assert read(router.into(udp(OTHER_SERVER, 53, EXTERNAL, sent.source_port)))[2:] == (
            OTHER_CLIENT,
            port,
        )
        came = read(router.into(udp(SERVER, 9, EXTERNAL, sent.source_port)))
        assert came.destination == CLIENT, "its session goes on"
    assert router.try_out(udp(OTHER_CLIENT, 40005, SERVER, 9))[0] == "ports_exhausted"
    assert router.try_out(udp(OTHER_CLIENT, 40000, SERVER, 9))[0] == "session_clash"
    assert router.table.gauges().ports_in_use[1] == 5
    assert router.out(udp(OTHER_CLIENT, 40005, OTHER_SERVER, 53)), "none was kept back for the attempt"


def test_what_the_default_host_begins_is_mapped_like_anybodys() -> None:
    router = forwarding(DEFAULT_HOST)
    assert 1024 <= read(router.out(udp(CLIENT, 99, SERVER, 53))).source_port <= 32767


def test_icmp_by_name_is_forwarded() -> None:
    router = forwarding(Forward(ICMP, None, ALL_PORTS, (ForwardTarget(CLIENT),)))
    assert read(router.into(query(SERVER, EXTERNAL, 7))).destination == CLIENT
    assert read(router.out(query(CLIENT, SERVER, 7, ECHO_REPLY))).source == EXTERNAL


def test_an_answer_to_the_routers_own_ping_is_not_forwarded() -> None:
    router = forwarding(Forward(ICMP, None, ALL_PORTS, (ForwardTarget(CLIENT),)))
    assert router.passed(query(SERVER, EXTERNAL, 7, ECHO_REPLY), inbound=True)


def test_who_reaches_a_host_by_a_forward_does_not_choose_its_address() -> None:
    """It is paired by its own sessions (RFC 4787 REQ-2)."""
    used = set()
    for _ in range(30):
        router = forwarding(DEFAULT_HOST, external=BOTH)
        router.into(udp(SERVER, 5000, OTHER_EXTERNAL, 9999))
        used.add(read(router.out(udp(CLIENT, 40000, OTHER_SERVER, 53))).source)
    assert used == set(BOTH)


def test_the_first_forward_that_fits_counts() -> None:
    narrow = Forward(UDP, None, (6004, 6004), (ForwardTarget(OTHER_CLIENT, (1, 1)),))
    router = forwarding(narrow, RANGE)
    assert read(router.into(udp(SERVER, 5000, EXTERNAL, 6004)))[2:] == (OTHER_CLIENT, 1)
    assert read(router.into(udp(SERVER, 5000, EXTERNAL, 6005)))[2:] == (CLIENT, 7005)


def test_a_forward_of_one_address_leaves_the_other_alone() -> None:
    router = forwarding(Forward(TCP, OTHER_EXTERNAL, (8080, 8080), WEB.targets), external=BOTH)
    assert router.try_in(tcp(SERVER, 5000, EXTERNAL, 8080))[0] == "no_mapping"
    assert read(router.into(tcp(SERVER, 5000, OTHER_EXTERNAL, 8080)))[2:] == (CLIENT, 80)


def test_several_targets_share_the_sessions_evenly() -> None:
    router = forwarding(SHARED)
    for port in range(5000, 5030):
        router.into(tcp(SERVER, port, EXTERNAL, 8080))
    assert sorted(sessions for sessions, _ in router.table.hosts().values()) == [10, 10, 10]


def test_a_shared_session_stays_with_its_target() -> None:
    router = forwarding(SHARED)
    came = [read(router.into(tcp(SERVER, port, EXTERNAL, 8080))) for port in range(5000, 5009)]
    hosts = {packet.source_port: packet.destination for packet in came}
    for port, host in hosts.items():
        assert read(router.out(tcp(host, 80, SERVER, port, SYN | ACK)))[:2] == (EXTERNAL, 8080)
        assert read(router.into(tcp(SERVER, port, EXTERNAL, 8080, ACK))).destination == host


def test_what_a_sharing_target_begins_is_mapped_like_anybodys() -> None:
    router = forwarding(SHARED)
    assert read(router.out(tcp(SHARED.targets[0].address, 80, SERVER, 9))).source_port != 8080


def test_a_forwarded_port_is_never_handed_out() -> None:
    router = Router(
        policy(ports=((5000, 5003),), forwards=(Forward(UDP, None, (5001, 5002), RANGE.targets),))
    )
    given = {read(router.out(udp(OTHER_CLIENT, port, SERVER, 53))).source_port for port in (1, 2)}
    assert given == {5000, 5003}
    assert router.try_out(udp(OTHER_CLIENT, 3, SERVER, 53))[0] == "ports_exhausted"


def test_a_forward_that_is_taken_away_leaves_its_sessions() -> None:
    router = Router(policy(ports=((8080, 8081),), forwards=(WEB,)))
    router.into(tcp(SERVER, 5000, EXTERNAL, 8080))
    assert router.table.configure(policy(ports=((8080, 8081),))) == 0
    assert read(router.out(tcp(CLIENT, 80, SERVER, 5000, SYN | ACK)))[:2] == (EXTERNAL, 8080)
    assert router.try_in(tcp(SERVER, 5001, EXTERNAL, 8080))[0] == "no_mapping"
    for port in (1, 2):
        reason, sent = router.try_out(tcp(OTHER_CLIENT, port, SERVER, 5000))
        assert reason or read(sent).source_port == 8081, "no port is handed out that a session still has"


def test_a_forward_that_comes_later_leaves_live_sessions() -> None:
    router = Router(policy(ports=((8080, 8080),)))
    router.out(tcp(OTHER_CLIENT, 40000, SERVER, 80))
    router.table.configure(policy(ports=((8080, 8080),), forwards=(WEB,)))
    assert read(router.into(tcp(SERVER, 80, EXTERNAL, 8080, SYN | ACK))).destination == OTHER_CLIENT
    assert read(router.into(tcp(SERVER, 81, EXTERNAL, 8080))).destination == CLIENT
    assert router.try_out(tcp(OTHER_CLIENT, 40000, SERVER, 81))[0] == "session_clash"


def test_a_forwarded_host_keeps_its_limits() -> None:
    router = forwarding(WEB, sessions_per_host=2)
    for port in (1, 2):
        router.into(tcp(SERVER, port, EXTERNAL, 8080))
        router.out(tcp(CLIENT, 80, SERVER, port, SYN | ACK))
    assert router.try_in(tcp(SERVER, 3, EXTERNAL, 8080))[0] == "host_sessions_full"


def test_the_default_host_keeps_half_of_its_ports_for_itself() -> None:
    router = forwarding(DEFAULT_HOST, ports_per_host=4)
    came = [router.try_in(udp(SERVER, 9, EXTERNAL, port))[0] for port in range(5000, 5010)]
    assert came == ["", ""] + 8 * ["host_ports_full"]
    for port in (1, 2):
        assert router.out(udp(CLIENT, port, OTHER_SERVER, 53))
    assert router.try_out(udp(CLIENT, 3, OTHER_SERVER, 53))[0] == "host_ports_full"


def test_a_restart_keeps_forwarded_sessions(tmp_path: Path) -> None:
    rules = policy(external=BOTH, forwards=(WHOLE, SHARED))
    before = Router(rules, 64, str(tmp_path / "state"))
    hosts = [read(before.into(tcp(SERVER, port, EXTERNAL, 8080))).destination for port in range(5000, 5006)]
    before.into(query(SERVER, OTHER_EXTERNAL, 77))
    before.out(udp(CLIENT, 123, SERVER, 123))
    after = restarted(before, tmp_path / "state", rules=rules)
    assert after.table.recovered == 8
    for port, host in enumerate(hosts, 5000):
        assert read(after.into(tcp(SERVER, port, EXTERNAL, 8080))).destination == host
    assert read(after.out(query(CLIENT, SERVER, 77, ECHO_REPLY))).source == OTHER_EXTERNAL
    assert read(after.out(udp(CLIENT, 123, SERVER, 123)))[:2] == (OTHER_EXTERNAL, 123)
    assert after.table.gauges().ports_in_use == (0, 0, 0, 0), "none of them is of a pool"


def test_more_forwards_than_there_is_room_for_are_refused(router: Router) -> None:
    many = tuple(Forward(UDP, None, (port, port), RANGE.targets) for port in range(1, 1026))
    with pytest.raises(ValueError, match="1024 at most"):
        router.table.configure(policy(forwards=many))
    router.table.configure(policy(forwards=many[:1024]))
    assert read(router.into(udp(SERVER, 1, EXTERNAL, 1024))).destination == CLIENT


def test_a_forward_without_a_target_is_refused(router: Router) -> None:
    with pytest.raises(ValueError, match="without a target"):
        router.table.configure(policy(forwards=(Forward(TCP, None, (80, 80), ()),)))
