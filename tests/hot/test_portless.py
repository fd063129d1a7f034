"""Protocols without ports: one internal host for each remote address, told apart by address alone."""

import pytest
from support.packets import AH, DCCP, ESP, GRE, UDPLITE, portless, read
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


@pytest.mark.parametrize("protocol", [0, 2, 4, GRE, ESP, 41, 89, 103, 132, 255])
def test_any_protocol_finds_its_way_out_and_back(router: Router, protocol: int) -> None:
    sent = router.out(portless(CLIENT, SERVER, protocol))
    assert (sent[9], read(sent).source) == (protocol, EXTERNAL)
    assert read(router.into(portless(SERVER, EXTERNAL, protocol))).destination == CLIENT


def test_one_internal_host_speaks_it_with_one_remote_host(router: Router) -> None:
    router.out(portless(CLIENT, SERVER, GRE))
    assert router.try_out(portless(OTHER_CLIENT, SERVER, GRE)) == ("portless_remote_taken", b"")
    assert router.out(portless(OTHER_CLIENT, SERVER, ESP)), "another protocol is another matter"
    assert router.out(portless(OTHER_CLIENT, OTHER_SERVER, GRE)), "so is another remote host"
    assert router.out(portless(CLIENT, OTHER_SERVER, ESP)), "and one host may speak with many"
    assert read(router.into(portless(SERVER, EXTERNAL, GRE))).destination == CLIENT
    assert read(router.into(portless(OTHER_SERVER, EXTERNAL, GRE))).destination == OTHER_CLIENT
    assert read(router.into(portless(SERVER, EXTERNAL, ESP))).destination == OTHER_CLIENT
    assert read(router.into(portless(OTHER_SERVER, EXTERNAL, ESP))).destination == CLIENT


def test_who_was_refused_leaves_nothing_behind(router: Router) -> None:
    router.out(portless(CLIENT, SERVER, GRE))
    before = router.rows(), router.table.gauges(), router.table.hosts()
    router.try_out(portless(OTHER_CLIENT, SERVER, GRE))
    assert (router.rows(), router.table.gauges(), router.table.hosts()) == before


def test_the_remote_host_is_free_again_when_the_session_ends(router: Router) -> None:
    router.out(portless(CLIENT, SERVER, GRE))
    router.wait(300)
    assert router.out(portless(OTHER_CLIENT, SERVER, GRE))
    assert read(router.into(portless(SERVER, EXTERNAL, GRE))).destination == OTHER_CLIENT


def test_each_address_of_a_pool_has_its_own_remote_hosts() -> None:
    router = Router(policy(external=(EXTERNAL, OTHER_EXTERNAL), sessions=512), capacity=512)
    seen = {}
    for host in policy().internal[0].hosts():
        reason, sent = router.try_out(portless(host, SERVER, GRE))
        if reason == "":
            seen[read(sent).source] = host
    assert set(seen) == {EXTERNAL, OTHER_EXTERNAL}
    for external, host in seen.items():
        assert read(router.into(portless(SERVER, external, GRE))).destination == host


def test_what_nobody_asked_for_is_the_router_s_own(router: Router) -> None:
    """Its tunnels end at the same address."""
    router.out(portless(CLIENT, SERVER, GRE))
    assert router.passed(portless(OTHER_SERVER, EXTERNAL, GRE), inbound=True)
    assert router.passed(portless(SERVER, EXTERNAL, ESP), inbound=True)
    assert router.passed(portless(SERVER, EXTERNAL, AH), inbound=True)


def test_it_has_no_ports_to_tell(router: Router) -> None:
    router.out(portless(CLIENT, SERVER, GRE))
    assert router.row()[2:6] == ((CLIENT, 0), (EXTERNAL, 0), (SERVER, 0), "-")
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)
    assert router.table.gauges().mappings == (0, 0, 0, 1)


@pytest.mark.parametrize("protocol", [UDPLITE, DCCP])
def test_a_checksum_that_covers_the_addresses_must_be_there(router: Router, protocol: int) -> None:
    for length in range(8):
        assert router.try_out(portless(CLIENT, SERVER, protocol, bytes(length)))[0] == "truncated"
    assert router.out(portless(CLIENT, SERVER, protocol, b"12345678"))


def test_an_empty_packet_of_another_protocol_is_whole(router: Router) -> None:
    assert read(router.out(portless(CLIENT, SERVER, GRE, b""))).source == EXTERNAL
