"""Mapping and filtering of all three kinds (RFC 4787 sections 4.1 and 5), by protocol and by network."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from support.packets import ECHO_REPLY, GRE, portless, query, read, tcp, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy

from hot.restarting import restarted
from nfmasq.core.policy import EVERYWHERE, Behaviour, Filtering, Mapping, NetworkBehaviour

REMOTES = [(SERVER, 53), (SERVER, 54), (OTHER_SERVER, 53)]
SHARED = {
    Mapping.ENDPOINT_INDEPENDENT: [0, 0, 0],
    Mapping.ADDRESS_DEPENDENT: [0, 0, 1],
    Mapping.ADDRESS_AND_PORT_DEPENDENT: [0, 1, 2],
}
"""Which of REMOTES see the same external endpoint: those with the same number."""
OPEN, CLOSED = Filtering.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT


def numbered(ports: list[int]) -> list[int]:
    """Each port by the place of its first appearance among the different ones."""
    different = list(dict.fromkeys(ports))
    return [different.index(port) for port in ports]


def seen_by_remotes(router: Router, make: Callable[..., bytes] = udp) -> list[int]:
    """The external ports that REMOTES see of CLIENT's port 40000."""
    return [read(router.out(make(CLIENT, 40000, *remote))).source_port for remote in REMOTES]


@pytest.mark.parametrize("mapping", Mapping)
@pytest.mark.parametrize("make", [udp, tcp])
def test_which_remotes_see_the_same_external_endpoint(mapping: Mapping, make: Callable[..., bytes]) -> None:
    assert numbered(seen_by_remotes(Router(policy(mapping=mapping)), make)) == SHARED[mapping]


@pytest.mark.parametrize("mapping", Mapping)
def test_a_query_identifier_is_mapped_likewise(mapping: Mapping) -> None:
    router = Router(policy(mapping=mapping))
    ids = [read(router.out(query(CLIENT, server, 7))).source_port for server in (SERVER, OTHER_SERVER)]
    assert (ids[0] == ids[1]) == (mapping is Mapping.ENDPOINT_INDEPENDENT)


@pytest.mark.parametrize("mapping", Mapping)
@pytest.mark.parametrize("filtering", Filtering)
def test_who_may_send_in_through_a_mapping(mapping: Mapping, filtering: Filtering) -> None:
    router = Router(policy(mapping=mapping, filtering=filtering))
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    let_in = [
        router.try_in(udp(remote, port, EXTERNAL, near))[0] == ""
        for remote, port in [(SERVER, 53), (SERVER, 99), (OTHER_SERVER, 99)]
    ]
    assert let_in == [True, filtering < CLOSED, filtering is OPEN]


def test_the_narrowest_network_counts() -> None:
    rules = policy(
        behaviours=(
            NetworkBehaviour(IPv4Network(f"{CLIENT}/32"), udp=Behaviour(filtering=OPEN)),
            NetworkBehaviour(IPv4Network("192.168.1.0/24"), udp=Behaviour(filtering=CLOSED)),
            NetworkBehaviour(EVERYWHERE, udp=Behaviour(filtering=OPEN)),
        )
    )
    router = Router(rules)
    for host, reason in ((CLIENT, ""), (OTHER_CLIENT, "filtered")):
        near = read(router.out(udp(host, 40000, SERVER, 53))).source_port
        assert router.try_in(udp(OTHER_SERVER, 9, EXTERNAL, near))[0] == reason


def test_tcp_and_udp_of_a_network_differ() -> None:
    router = Router(policy(mapping_tcp=Mapping.ADDRESS_AND_PORT_DEPENDENT))
    assert numbered(seen_by_remotes(router, tcp)) == [0, 1, 2]
    assert numbered(seen_by_remotes(router, udp)) == [0, 0, 0]


def test_a_change_of_mapping_leaves_live_sessions_alone(router: Router) -> None:
    before = seen_by_remotes(router)
    assert router.table.configure(policy(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)) == 0
    assert seen_by_remotes(router) == before
    new = read(router.out(udp(CLIENT, 40000, SERVER, 55))).source_port
    assert new != before[0]
    assert router.table.configure(policy()) == 0
    assert read(router.out(udp(CLIENT, 40000, SERVER, 55))).source_port == new
    assert read(router.out(udp(CLIENT, 40000, SERVER, 56))).source_port == before[0]


@pytest.mark.parametrize("mapping", Mapping)
def test_a_restart_keeps_mappings_of_every_kind(mapping: Mapping, tmp_path: Path) -> None:
    rules = policy(mapping=mapping)
    before = Router(rules, 64, str(tmp_path / "state"))
    seen = seen_by_remotes(before)
    after = restarted(before, tmp_path / "state", rules=rules)
    assert after.table.recovered == 3
    assert seen_by_remotes(after) == seen
    extra = read(after.out(udp(CLIENT, 40000, OTHER_SERVER, 99))).source_port
    assert (extra == seen[2]) == (mapping < Mapping.ADDRESS_AND_PORT_DEPENDENT)


def test_a_portless_protocol_knows_no_ports_in_any_mode() -> None:
    router = Router(policy(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT))
    for server in (SERVER, OTHER_SERVER):
        assert read(router.out(portless(CLIENT, server, GRE))).source == EXTERNAL
        assert router.into(portless(server, EXTERNAL, GRE))


@pytest.mark.parametrize("filtering", Filtering)
def test_an_answer_to_a_ping_by_another_host_is_filtered_as_datagrams_are(filtering: Filtering) -> None:
    router = Router(policy(filtering=filtering))
    identifier = read(router.out(query(CLIENT, SERVER, 7))).source_port
    answer = query(OTHER_SERVER, EXTERNAL, identifier, ECHO_REPLY)
    if filtering is OPEN:
        assert read(router.into(answer)).destination == CLIENT
    else:
        assert router.passed(answer, inbound=True), "the router may have asked by itself"


def test_many_mappings_of_one_endpoint_end_one_by_one() -> None:
    router = Router(policy(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT), capacity=64)
    for port in range(1, 51):
        router.out(udp(CLIENT, 40000, SERVER, port))
    assert router.table.gauges().mappings[1] == 50
    router.wait(200)
    for port in range(1, 26):
        router.out(udp(CLIENT, 40000, SERVER, port))
    assert router.wait(100) == 25
    assert router.table.gauges().mappings[1] == 25
    assert router.table.gauges().ports_in_use[1] == 25


def test_a_remote_address_of_zero_is_no_wildcard() -> None:
    """A scope is told by its own word, not by an address that happens to be 0."""
    router = Router(policy(mapping=Mapping.ADDRESS_DEPENDENT))
    assert router.try_out(udp(CLIENT, 40000, IPv4Address(0), 53))[0] == "destination_martian"
