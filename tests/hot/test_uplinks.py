"""Several uplinks, and addresses by route: which address a session gets, and when it may get another."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from support.packets import (
    ACK,
    ECHO_REPLY,
    GRE,
    RST,
    SYN,
    UNREACHABLE,
    error,
    portless,
    query,
    read,
    tcp,
    udp,
)
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

from nfmasq.core.policy import (
    ALL_PORTS,
    ANY_PROTOCOL,
    EVERYWHERE,
    Filtering,
    Forward,
    ForwardTarget,
    Policy,
    Source,
    Uplink,
)

FIBRE, MOBILE = 3, 4
"""The indexes of two external interfaces."""
MODEM = IPv4Address("192.0.2.2")
"""The router's address towards its modem's web page."""
MODEM_PAGE = IPv4Address("192.0.2.1")
KEPT = IPv4Address("203.0.113.9")
"""An address that another program keeps on the interface."""


def two(
    fibre: tuple[IPv4Address, ...] = (EXTERNAL,),
    mobile: tuple[IPv4Address, ...] = (OTHER_EXTERNAL,),
    **changes: Any,
) -> Policy:
    """Two uplinks with these addresses."""
    uplinks = (Uplink.pool(*fibre, index=FIBRE), Uplink.pool(*mobile, index=MOBILE))
    return policy(uplinks=uplinks, sessions=600, **changes)


def by_route(*sources: Source, addresses: tuple[IPv4Address, ...] = (EXTERNAL, MODEM, KEPT)) -> Policy:
    """One uplink whose routes name these sources."""
    pooled = tuple(dict.fromkeys(source.address for source in sources))
    return policy(uplinks=(Uplink(FIBRE, addresses, pooled, sources),))


@pytest.fixture
def uplinks() -> Router:
    """A router with two uplinks."""
    return Router(two(), capacity=600)


FIRST = [
    udp(CLIENT, 40000, SERVER, 53),
    tcp(CLIENT, 40000, SERVER, 80),
    query(CLIENT, SERVER, 7),
    portless(CLIENT, SERVER, GRE),
]


@pytest.mark.parametrize("packet", FIRST)
def test_a_packet_gets_the_address_of_the_uplink_it_leaves_by(uplinks: Router, packet: bytes) -> None:
    assert read(uplinks.out(packet, device=FIBRE)).source == EXTERNAL
    uplinks.table.flush()
    assert read(uplinks.out(packet, device=MOBILE)).source == OTHER_EXTERNAL


@pytest.mark.parametrize("packet", FIRST)
def test_a_session_that_can_begins_anew_by_another_uplink(uplinks: Router, packet: bytes) -> None:
    uplinks.out(packet, device=FIBRE)
    assert read(uplinks.out(packet, device=MOBILE)).source == OTHER_EXTERNAL
    assert uplinks.row().external[0] == OTHER_EXTERNAL, "the session by the first uplink has ended"


def connect(router: Router, device: int, external: IPv4Address) -> int:
    """A connection that stands; its external port."""
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80), device=device)).source_port
    router.into(tcp(SERVER, 80, external, near, SYN | ACK), device=device)
    router.out(tcp(CLIENT, 40000, SERVER, 80, ACK), device=device)
    return near


def test_an_answered_connection_waits_for_its_uplink(uplinks: Router) -> None:
    near = connect(uplinks, FIBRE, EXTERNAL)
    before = uplinks.row()
    segment = tcp(CLIENT, 40000, SERVER, 80, ACK)
    uplinks.now += 60
    assert uplinks.try_out(segment, device=MOBILE) == ("other_uplink", b"")
    assert uplinks.row().expires_s == before.expires_s - 60, "it is not refreshed"
    (refusal,) = uplinks.table.refusals(uplinks.now)
    assert (refusal.destination, refusal.code) == (CLIENT, 1), "host unreachable"
    assert read(uplinks.out(segment, device=FIBRE)).source_port == near, "the uplink came back"


def test_a_connection_that_is_over_begins_anew_by_another_uplink(uplinks: Router) -> None:
    near = connect(uplinks, FIBRE, EXTERNAL)
    uplinks.into(tcp(SERVER, 80, EXTERNAL, near, RST | ACK), device=FIBRE)
    assert uplinks.try_out(tcp(CLIENT, 40000, SERVER, 80, ACK), device=MOBILE)[0] == "other_uplink"
    assert read(uplinks.out(tcp(CLIENT, 40000, SERVER, 80), device=MOBILE)).source == OTHER_EXTERNAL


def test_an_interface_that_is_no_uplinks_moves_no_session(uplinks: Router) -> None:
    """It may have been made anew, and its index not be known yet."""
    uplinks.out(FIRST[0], device=FIBRE)
    assert uplinks.try_out(FIRST[0], device=99) == ("other_uplink", b"")
    assert uplinks.try_out(udp(CLIENT, 40001, SERVER, 53), device=99) == ("no_external_address", b"")
    assert read(uplinks.out(FIRST[0], device=FIBRE)).source == EXTERNAL


def test_an_only_uplink_is_not_compared() -> None:
    router = Router(policy(device=FIBRE))
    assert read(router.out(FIRST[0], device=99)).source == EXTERNAL


def test_an_endpoint_has_one_mapping_by_each_uplink(uplinks: Router) -> None:
    by_fibre = [
        read(uplinks.out(udp(CLIENT, 40000, server, 53), device=FIBRE))[:2]
        for server in (SERVER, OTHER_SERVER)
    ]
    by_mobile = read(uplinks.out(udp(CLIENT, 40000, SERVER, 54), device=MOBILE))
    assert by_fibre[0] == by_fibre[1]
    assert by_mobile.source == OTHER_EXTERNAL
    assert read(uplinks.into(udp(SERVER, 54, *by_mobile[:2]), device=MOBILE))[2:] == (CLIENT, 40000)
    assert read(uplinks.into(udp(SERVER, 53, *by_fibre[0]), device=FIBRE))[2:] == (CLIENT, 40000)
    assert len(uplinks.table.mappings()) == 2


def test_a_host_is_paired_with_one_address_of_each_pool() -> None:
    """RFC 4787 REQ-2."""
    fibre = tuple(EXTERNAL + number for number in range(0, 8))
    mobile = tuple(EXTERNAL + number for number in range(16, 24))
    router = Router(two(fibre, mobile), capacity=600)
    for device, pool in ((FIBRE, fibre), (MOBILE, mobile), (FIBRE, fibre)):
        seen = {
            read(router.out(udp(CLIENT, 40000 + n, SERVER, device), device=device)).source for n in range(30)
        }
        assert len(seen) == 1
        assert seen <= set(pool)


def test_a_lease_that_is_renewed_takes_no_session_with_it() -> None:
    router = Router(two(), capacity=600)
    near = connect(router, FIBRE, EXTERNAL)
    router.out(udp(CLIENT, 40000, SERVER, 53), device=MOBILE)
    assert router.table.configure(two(fibre=())) == 0
    segment = tcp(CLIENT, 40000, SERVER, 80, ACK)
    assert router.try_out(segment, device=FIBRE) == ("no_external_address", b"")
    assert router.out(udp(CLIENT, 40000, SERVER, 53), device=MOBILE), "the other uplink goes on"
    assert router.table.configure(two()) == 0
    assert read(router.out(segment, device=FIBRE))[:2] == (EXTERNAL, near)


def test_an_address_of_another_program_does_not_stand_in_for_a_lease_that_is_renewed() -> None:
    kept_alone = policy(uplinks=(Uplink(FIBRE, (KEPT,), ()),))
    router = Router(by_route(Source(EVERYWHERE, EXTERNAL), addresses=(EXTERNAL, KEPT)))
    near = read(router.out(FIRST[0]))[:2]
    assert router.table.configure(kept_alone) == 0
    assert router.try_out(FIRST[0]) == ("no_external_address", b"")
    assert router.try_out(udp(CLIENT, 40001, SERVER, 53)) == ("no_external_address", b"")
    assert router.table.configure(by_route(Source(EVERYWHERE, EXTERNAL))) == 0
    assert read(router.out(FIRST[0]))[:2] == near


def test_another_address_ends_the_sessions_of_the_lost_one_alone() -> None:
    router = Router(two(), capacity=600)
    for port in (40000, 40001):
        router.out(udp(CLIENT, port, SERVER, 53), device=FIBRE)
    router.out(udp(CLIENT, 40000, SERVER, 54), device=MOBILE)
    router.table.configure(two(fibre=()))
    assert router.table.configure(two(fibre=(KEPT,))) == 2
    assert router.row().external[0] == OTHER_EXTERNAL


def test_sessions_are_told_apart_by_uplink_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    before = Router(two(), capacity=600, path=path)
    near = connect(before, MOBILE, OTHER_EXTERNAL)
    before.out(udp(CLIENT, 40000, SERVER, 53), device=FIBRE)
    before.out(udp(CLIENT, 40000, SERVER, 54), device=MOBILE)
    before.table.close()
    router = Router(two(), capacity=600, path=path)
    assert router.table.recovered == 3
    segment = tcp(CLIENT, 40000, SERVER, 80, ACK)
    assert read(router.out(segment, device=MOBILE))[:2] == (OTHER_EXTERNAL, near)
    assert router.try_out(segment, device=FIBRE)[0] == "other_uplink"
    assert len(router.table.mappings(protocol=17)) == 2
    again = read(router.out(udp(CLIENT, 40000, OTHER_SERVER, 53), device=MOBILE))
    assert again[:2] in [row.external for row in router.table.mappings(protocol=17)], (
        "its mapping by that uplink"
    )


def test_each_uplink_has_its_own_mss() -> None:
    uplinks = (
        Uplink.pool(EXTERNAL, index=FIBRE, mss=1452),
        Uplink.pool(OTHER_EXTERNAL, index=MOBILE, mss=1360),
    )
    router = Router(policy(uplinks=uplinks))
    for device, most in ((FIBRE, 1452), (MOBILE, 1360)):
        sent = router.out(tcp(CLIENT, 40000, SERVER, 80, options=b"\2\4\5\xb4"), device=device)
        assert int.from_bytes(sent[42:44]) == most


# Addresses by route -------------------------------------------------------------------------------------


def test_the_address_goes_with_the_route() -> None:
    router = Router(by_route(Source(IPv4Network("192.0.2.0/24"), MODEM), Source(EVERYWHERE, EXTERNAL)))
    for port in range(40000, 40020):
        assert read(router.out(udp(CLIENT, port, SERVER, 53))).source == EXTERNAL, "never MODEM, never KEPT"
        assert read(router.out(udp(CLIENT, port, MODEM_PAGE, 53))).source == MODEM


def test_an_address_that_another_program_adds_or_removes_changes_nothing() -> None:
    router = Router(by_route(Source(EVERYWHERE, EXTERNAL), addresses=(EXTERNAL,)))
    near = read(router.out(FIRST[0]))[:2]
    for addresses in ((EXTERNAL, KEPT), (KEPT, EXTERNAL, MODEM), (EXTERNAL,)):
        assert router.table.configure(by_route(Source(EVERYWHERE, EXTERNAL), addresses=addresses)) == 0
        assert read(router.out(FIRST[0]))[:2] == near
        assert read(router.out(udp(CLIENT, 40000, OTHER_SERVER, 53)))[:2] == near


def test_another_source_leaves_sessions_where_they_are() -> None:
    router = Router(by_route(Source(EVERYWHERE, EXTERNAL)))
    near = connect(router, FIBRE, EXTERNAL)
    router.table.configure(by_route(Source(EVERYWHERE, KEPT)))
    assert read(router.out(tcp(CLIENT, 40000, SERVER, 80, ACK)))[:2] == (EXTERNAL, near)
    assert read(router.out(udp(CLIENT, 40000, SERVER, 53))).source == KEPT
    assert read(router.out(tcp(CLIENT, 40000, OTHER_SERVER, 80))).source == KEPT, (
        "a new session of its endpoint"
    )


def test_a_forward_may_name_any_address_that_is_there() -> None:
    web = Forward(6, KEPT, (80, 80), (ForwardTarget(CLIENT, (8080, 8080)),))
    uplink = Uplink(FIBRE, (EXTERNAL, KEPT), (EXTERNAL,), (Source(EVERYWHERE, EXTERNAL),))
    router = Router(policy(uplinks=(uplink,), forwards=(web,)))
    assert read(router.into(tcp(SERVER, 1234, KEPT, 80)))[2:] == (CLIENT, 8080)
    answer = read(router.out(tcp(CLIENT, 8080, SERVER, 1234, SYN | ACK)))
    assert answer[:2] == (KEPT, 80)


def test_a_host_with_an_address_of_its_own_appears_by_the_other_uplink_as_everybody() -> None:
    whole = Forward(ANY_PROTOCOL, KEPT, ALL_PORTS, (ForwardTarget(CLIENT),))
    router = Router(two(fibre=(EXTERNAL, KEPT), forwards=(whole,)), capacity=600)
    assert read(router.out(FIRST[0], device=FIBRE)).source == KEPT
    assert read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53), device=FIBRE)).source == EXTERNAL
    assert read(router.out(FIRST[0], device=MOBILE)).source == OTHER_EXTERNAL


def test_a_hairpinned_host_appears_by_the_address_it_sent_to() -> None:
    router = Router(two(filtering=Filtering.ENDPOINT_INDEPENDENT), capacity=600)
    for device, external in ((FIBRE, EXTERNAL), (MOBILE, OTHER_EXTERNAL)):
        near = read(router.out(udp(OTHER_CLIENT, 5000, SERVER, device), device=device)).source_port
        reason, sent = router.table.hairpin(udp(CLIENT, 4000, external, near), now=router.now)
        assert (reason, read(sent).source, read(sent).destination) == ("", external, OTHER_CLIENT)


def test_an_error_is_sent_as_the_address_of_its_session_whichever_way_it_leaves(uplinks: Router) -> None:
    connect(uplinks, FIBRE, EXTERNAL)
    answer = tcp(SERVER, 80, CLIENT, 40000, ACK, sequence=8)
    sent = uplinks.out(error(CLIENT, SERVER, answer, UNREACHABLE, 1), device=MOBILE)
    assert read(sent).source == EXTERNAL
    assert len(uplinks.rows()) == 1


def test_a_ping_is_answered_by_whichever_uplink(uplinks: Router) -> None:
    sent = read(uplinks.out(query(CLIENT, SERVER, 7), device=MOBILE))
    answer = query(SERVER, OTHER_EXTERNAL, sent.source_port, ECHO_REPLY)
    assert read(uplinks.into(answer, device=MOBILE)).destination == CLIENT


def shared(by_sources: bool) -> Router:
    """Two uplinks with one address, as unnumbered interfaces have it."""
    if not by_sources:
        return Router(two(mobile=(EXTERNAL,)), capacity=600)
    sources = (Source(EVERYWHERE, EXTERNAL),)
    uplinks = tuple(Uplink(index, (EXTERNAL,), (EXTERNAL,), sources) for index in (FIBRE, MOBILE))
    return Router(policy(uplinks=uplinks, sessions=600), capacity=600)


@pytest.mark.parametrize("by_sources", [True, False])
@pytest.mark.parametrize("first", FIRST)
def test_an_address_that_two_uplinks_have_is_handed_out_by_both(by_sources: bool, first: bytes) -> None:
    router = shared(by_sources)
    assert read(router.out(first, device=MOBILE)).source == EXTERNAL
    other = udp(OTHER_CLIENT, 40001, SERVER, 53)
    assert read(router.out(other, device=FIBRE)).source == EXTERNAL
    assert (
        read(router.out(udp(OTHER_CLIENT, 40001, OTHER_SERVER, 53), device=MOBILE))[:2]
        == read(router.out(other, device=FIBRE))[:2]
    ), "one mapping by whichever uplink (RFC 4787 REQ-1)"


@pytest.mark.parametrize("by_sources", [True, False])
def test_a_session_goes_on_by_either_uplink_that_has_its_address(by_sources: bool) -> None:
    router = shared(by_sources)
    near = connect(router, FIBRE, EXTERNAL)
    for device in (MOBILE, FIBRE, MOBILE):
        segment = tcp(CLIENT, 40000, SERVER, 80, ACK)
        assert read(router.out(segment, device=device)).source_port == near
        assert read(router.into(tcp(SERVER, 80, EXTERNAL, near, ACK), device=device)).destination == CLIENT


def test_an_address_that_one_of_two_uplinks_loses_keeps_its_sessions() -> None:
    router = shared(by_sources=True)
    near = connect(router, FIBRE, EXTERNAL)
    left = two(fibre=(OTHER_EXTERNAL,), mobile=(EXTERNAL,))
    assert router.table.configure(left) == 0
    assert read(router.out(tcp(CLIENT, 40000, SERVER, 80, ACK), device=MOBILE)).source_port == near


def test_a_forward_of_a_shared_address_counts_for_both_uplinks() -> None:
    forward = Forward(17, EXTERNAL, (5060, 5069), (ForwardTarget(CLIENT, (6060, 6069)),))
    router = Router(two(mobile=(EXTERNAL,), forwards=(forward,)), capacity=600)
    for device in (FIBRE, MOBILE):
        assert read(router.out(udp(CLIENT, 6061, SERVER, 53), device=device)).source_port == 5061
        router.table.flush()


# Inside -------------------------------------------------------------------------------------------------


def test_an_address_between_two_internal_networks_is_outside() -> None:
    """A WAN within a summary route that leads inside: the networks come without it."""
    inside = IPv4Network("198.51.0.0/16").address_exclude(IPv4Network("198.51.100.0/24"))
    router = Router(policy(internal=(LAN, *inside)))
    assert read(router.out(udp(CLIENT, 40000, SERVER, 53))).source == EXTERNAL
    assert router.try_out(udp(CLIENT, 40000, IPv4Address("198.51.99.255"), 53))[0] == "destination_internal"
    assert router.try_out(udp(CLIENT, 40000, IPv4Address("198.51.101.0"), 53))[0] == "destination_internal"


@pytest.mark.parametrize("count", [1, 2, 3, 64, 4095])
def test_the_first_and_last_address_of_every_network_are_inside_and_no_other(count: int) -> None:
    networks = [IPv4Network((0x0A000000 + number * 512, 24)) for number in range(count)]
    router = Router(policy(internal=tuple(reversed(networks))))
    for network in {networks[0], networks[count // 2], networks[-1]}:
        for address, reason in (
            (network[0] - 1, "source_not_internal"),
            (network[0], ""),
            (network[255], ""),
            (network[255] + 1, "source_not_internal"),
        ):
            assert router.try_out(udp(address, 40000, SERVER, 53))[0] == reason, address
