"""Where rules of others lead packets inside, the default host gets what they leave, at a look behind them."""

import pytest
from support.packets import ACK, ECHO, GRE, SYN, TCP, portless, query, read, tcp, udp
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

from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Filtering, Forward, ForwardTarget, Own

ICMP = 1
DEFAULT = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(CLIENT),))
DEFAULT_FOR_TCP = Forward(TCP, None, ALL_PORTS, (ForwardTarget(CLIENT),))
WEB = Forward(TCP, None, (80, 80), (ForwardTarget(OTHER_CLIENT),))
NAMED = Forward(TCP, EXTERNAL, ALL_PORTS, (ForwardTarget(CLIENT),))
PINGS = Forward(ICMP, None, ALL_PORTS, (ForwardTarget(CLIENT),))
EVERY_KIND = [
    tcp(SERVER, 1234, EXTERNAL, 5000),
    udp(SERVER, 53, EXTERNAL, 5000),
    portless(SERVER, EXTERNAL, GRE),
]


def beside(*forwards: Forward, **changes: object) -> Router:
    """A router beside rules of others that lead inside."""
    return Router(policy(forwards=forwards, others_lead=True, **changes))


def behind(router: Router, packet: bytes) -> tuple[str, bytes]:
    """What becomes of a packet that the rules of others left."""
    return router.table.translate(packet, inbound=True, untaken=True, now=router.now)


@pytest.mark.parametrize("packet", EVERY_KIND)
def test_a_packet_for_the_default_host_waits_for_the_rules_of_others(packet: bytes) -> None:
    router = beside(DEFAULT)
    assert router.passed(packet, inbound=True)
    assert router.rows() == []
    reason, sent = behind(router, packet)
    assert (reason, read(sent).destination) == ("", CLIENT)
    assert read(router.into(packet)).destination == CLIENT, "the next packet finds the session"
    assert len(router.rows()) == 1


def test_pings_that_a_default_host_gets_by_name_wait_too() -> None:
    router = beside(PINGS)
    assert router.passed(query(SERVER, EXTERNAL, 7, ECHO), inbound=True)
    assert read(behind(router, query(SERVER, EXTERNAL, 7, ECHO))[1]).destination == CLIENT


def test_other_pings_are_the_routers_behind_the_rules_too() -> None:
    router = beside(DEFAULT)
    ping = query(SERVER, EXTERNAL, 7, ECHO)
    assert behind(router, ping) == ("", ping)
    assert router.rows() == []


@pytest.mark.parametrize("forward", [WEB, NAMED])
def test_a_forward_that_names_a_port_or_an_address_does_not_wait(forward: Forward) -> None:
    router = beside(forward, DEFAULT)
    assert router.into(tcp(SERVER, 1234, EXTERNAL, 80))


def test_a_mapping_that_lets_the_packet_in_does_not_wait() -> None:
    router = beside(DEFAULT, filtering_udp=Filtering.ENDPOINT_INDEPENDENT)
    near = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))).source_port
    assert read(router.into(udp(OTHER_SERVER, 53, EXTERNAL, near))).destination == OTHER_CLIENT


def test_a_mapping_that_does_not_leaves_it_to_others_and_then_to_the_default_host() -> None:
    router = beside(DEFAULT)
    near = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))).source_port
    stranger = udp(OTHER_SERVER, 53, EXTERNAL, near)
    assert router.passed(stranger, inbound=True)
    assert read(behind(router, stranger)[1]).destination == CLIENT


def test_a_default_host_for_one_protocol_leaves_the_others() -> None:
    router = beside(DEFAULT_FOR_TCP)
    assert behind(router, tcp(SERVER, 1234, EXTERNAL, 5000))[1]
    packet = udp(SERVER, 53, EXTERNAL, 5000)
    assert behind(router, packet) == ("", packet)


@pytest.mark.parametrize("flags", [ACK, SYN | ACK])
def test_the_middle_of_a_connection_begins_nothing(flags: int) -> None:
    router = beside(DEFAULT)
    segment = tcp(SERVER, 80, EXTERNAL, 5000, flags)
    assert behind(router, segment) == ("", segment)
    assert router.rows() == []


def test_a_hairpinned_packet_waits_too() -> None:
    router = beside(DEFAULT, device=3)
    packet = tcp(OTHER_CLIENT, 40000, EXTERNAL, 8080)
    before = router.table.counters().passed
    assert router.table.translate(packet, hairpin=True) == ("", packet)
    assert router.table.counters().passed == before + 1
    assert router.rows() == []
    reason, sent = router.table.translate(packet, hairpin=True, untaken=True)
    assert (reason, read(sent).destination) == ("", CLIENT)


def test_without_rules_of_others_nothing_waits() -> None:
    router = Router(policy(forwards=(DEFAULT,)))
    for packet in EVERY_KIND:
        assert read(router.into(packet)).destination == CLIENT


# What the router itself takes -----------------------------------------------------------------------------


@pytest.mark.parametrize("others_lead", [True, False])
@pytest.mark.parametrize("own", [Own(GRE), Own(GRE, SERVER)])
def test_what_the_router_takes_does_not_go_to_the_default_host(own: Own, others_lead: bool) -> None:
    router = Router(policy(forwards=(DEFAULT,), own=(own,), others_lead=others_lead))
    packet = portless(SERVER, EXTERNAL, GRE)
    assert router.passed(packet, inbound=True)
    assert behind(router, packet) == ("", packet)
    assert router.rows() == []


@pytest.mark.parametrize("own", [Own(50), Own(GRE, OTHER_SERVER)])
def test_another_protocol_or_another_end_does(own: Own) -> None:
    router = Router(policy(forwards=(DEFAULT,), own=(own,)))
    assert read(router.into(portless(SERVER, EXTERNAL, GRE))).destination == CLIENT


def test_an_address_given_to_a_host_whole_is_the_hosts() -> None:
    whole = Forward(ANY_PROTOCOL, OTHER_EXTERNAL, ALL_PORTS, (ForwardTarget(CLIENT),))
    rules = policy(forwards=(whole,), own=(Own(GRE),), external=(EXTERNAL, OTHER_EXTERNAL))
    assert read(Router(rules).into(portless(SERVER, OTHER_EXTERNAL, GRE))).destination == CLIENT


def test_a_tunnel_that_comes_later_takes_its_packets_from_the_default_host() -> None:
    """Its other end may have sent all the while, and nothing else would end the session."""
    router = Router(policy(forwards=(DEFAULT,)))
    packet = portless(SERVER, EXTERNAL, GRE)
    assert read(router.into(packet)).destination == CLIENT
    assert read(router.into(portless(OTHER_SERVER, EXTERNAL, GRE))).destination == CLIENT
    router.table.configure(policy(forwards=(DEFAULT,), own=(Own(GRE, SERVER),)))
    assert router.passed(packet, inbound=True)
    assert [row.remote[0] for row in router.rows()] == [OTHER_SERVER]


def test_a_session_that_an_internal_host_began_is_its_own() -> None:
    router = Router(policy(forwards=(DEFAULT,)))
    router.out(portless(OTHER_CLIENT, SERVER, GRE))
    router.table.configure(policy(forwards=(DEFAULT,), own=(Own(GRE),)))
    assert read(router.into(portless(SERVER, EXTERNAL, GRE))).destination == OTHER_CLIENT
