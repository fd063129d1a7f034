"""A new policy takes over between two packets; and sessions ended at somebody's word."""

import threading
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.packets import ACK, ECHO_REPLY, SYN, portless, query, read, tcp, udp
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

from nfmasq._fastpath import Table
from nfmasq.core.policy import Filtering, Policy, Uplink
from nfmasq.lab.waiting import wait_until

FOUR = [
    udp(CLIENT, 40000, SERVER, 53),
    tcp(CLIENT, 40000, SERVER, 80),
    query(CLIENT, SERVER, 7),
    portless(CLIENT, SERVER),
]


def test_a_table_without_a_policy_lets_nothing_out_or_in() -> None:
    table = Table(None, 8)
    assert table.translate(udp(CLIENT, 40000, SERVER, 53)) == ("source_not_internal", b"")
    assert table.translate(udp(SERVER, 53, EXTERNAL, 40000), inbound=True) == ("no_external_address", b"")


def test_the_same_policy_again_changes_nothing(router: Router) -> None:
    sent = [router.out(packet) for packet in FOUR]
    before = router.rows(), router.table.gauges(), router.table.mappings(), router.table.hosts()
    assert router.table.configure(policy()) == 0
    assert (router.rows(), router.table.gauges(), router.table.mappings(), router.table.hosts()) == before
    assert [router.out(packet) for packet in FOUR] == sent


def test_a_lost_address_takes_its_sessions_with_it(router: Router) -> None:
    for packet in FOUR:
        router.out(packet)
    assert router.table.configure(policy(external=(OTHER_EXTERNAL,))) == 4
    assert router.rows() == []
    assert router.table.mappings() == []
    assert router.table.hosts() == {}
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)
    assert all(read(router.out(packet)).source == OTHER_EXTERNAL for packet in FOUR)


def test_an_address_of_a_pool_that_stays_keeps_its_sessions() -> None:
    both = policy(external=(EXTERNAL, OTHER_EXTERNAL), sessions=600)
    router = Router(both, capacity=600)
    hosts = list(LAN.hosts())
    of = {host: read(router.out(udp(host, 40000, SERVER, 53)))[:2] for host in hosts}
    kept = {host for host in hosts if of[host][0] == OTHER_EXTERNAL}
    ended = router.table.configure(policy(external=(OTHER_EXTERNAL, EXTERNAL), sessions=600))
    assert ended == 0, "the order is another, the addresses are the same"
    assert router.table.configure(policy(external=(OTHER_EXTERNAL,), sessions=600)) == len(hosts) - len(kept)
    for host in hosts:
        near = read(router.out(udp(host, 40000, SERVER, 53)))
        assert near.source == OTHER_EXTERNAL
        if host in kept:
            assert near[:2] == of[host]
    assert router.table.gauges().ports_in_use[1] == len(hosts)


def test_no_address_at_all_is_borne_and_mended(router: Router) -> None:
    before = [read(router.out(packet)) for packet in FOUR]
    assert router.table.configure(policy(external=())) == 0
    for packet in FOUR:
        assert router.try_out(packet) == ("no_external_address", b"")
    assert router.try_in(udp(SERVER, 53, EXTERNAL, before[0].source_port))[0] == "no_external_address"
    assert router.table.gauges().ports_capacity == (0, 0, 0, 0)
    assert router.table.configure(policy()) == 0
    assert [read(router.out(packet)) for packet in FOUR] == before, "the address came back, and the sessions"


def test_an_answer_to_a_ping_is_the_routers_while_there_is_no_address(router: Router) -> None:
    identifier = read(router.out(query(CLIENT, SERVER, 7))).source_port
    router.table.configure(policy(external=()))
    assert router.passed(query(SERVER, EXTERNAL, identifier, ECHO_REPLY), inbound=True)


def test_sessions_end_when_another_address_comes_after_none(router: Router) -> None:
    for packet in FOUR:
        router.out(packet)
    router.table.configure(policy(external=()))
    assert router.table.configure(policy(external=(OTHER_EXTERNAL,))) == len(FOUR)
    assert {read(router.out(packet)).source for packet in FOUR} == {OTHER_EXTERNAL}


def test_other_ports_are_handed_out_from_then_on_and_old_ones_kept(router: Router) -> None:
    router.table.configure(policy(ports=((2000, 2003),)))
    old = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    assert router.table.configure(policy(ports=((3000, 3001),))) == 0
    assert read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port == old
    assert read(router.into(udp(SERVER, 53, EXTERNAL, old))).destination == CLIENT
    new = {read(router.out(udp(CLIENT, port, SERVER, 53))).source_port for port in (40001, 40002)}
    assert new == {3000, 3001}
    assert router.table.gauges().ports_in_use == (0, 3, 0, 0)
    assert router.table.gauges().ports_capacity == (2, 2, 2, 0)
    assert router.try_out(udp(CLIENT, 40003, SERVER, 53))[0] == "ports_exhausted"
    router.wait(300)
    router.wait(120)
    fresh = {read(router.out(udp(CLIENT, port, SERVER, 53))).source_port for port in (50001, 50002)}
    assert fresh == {3000, 3001}, "the old port came back to nobody"
    assert router.try_out(udp(CLIENT, 50003, SERVER, 53))[0] == "ports_exhausted"


def test_ports_in_use_beyond_the_range_are_told_until_the_last_is_free(router: Router) -> None:
    router.table.configure(policy(ports=((2000, 2003),)))
    used = {read(router.out(udp(CLIENT, port, SERVER, 53))).source_port for port in (40000, 40001, 40002)}
    assert router.table.ports_beyond() == []
    router.table.configure(policy(ports=((3000, 3001),)))
    told = router.table.ports_beyond()
    assert {port for first, last in told for port in range(first, last + 1)} == used
    router.out(udp(CLIENT, 40003, SERVER, 53))
    router.wait(200)
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.wait(200)
    assert router.table.ports_beyond() == told, "one of them is still in use"
    router.wait(300)
    assert router.table.ports_beyond() == []


def test_only_tcp_and_udp_ports_that_no_forward_has_are_told(router: Router) -> None:
    router.out(query(CLIENT, SERVER, 7))
    router.out(portless(CLIENT, SERVER))
    router.table.configure(policy(ports=((3000, 3001),)))
    assert router.table.ports_beyond() == []


def test_a_range_that_comes_back_has_no_ports_beyond_it(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.table.configure(policy(ports=((3000, 3001),)))
    assert router.table.ports_beyond() != []
    router.table.configure(policy())
    assert router.table.ports_beyond() == []
    router.table.flush()
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)


def test_sessions_by_an_address_that_is_not_handed_out_any_more_go_on(router: Router) -> None:
    """It is there still: with nat.addresses a pool is part of what the interface has."""
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    uplink = Uplink(0, (OTHER_EXTERNAL, EXTERNAL), (OTHER_EXTERNAL,))
    assert router.table.configure(policy(uplinks=(uplink,))) == 0
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    assert read(router.out(tcp(CLIENT, 40000, SERVER, 80, ACK))).source == EXTERNAL
    assert read(router.out(tcp(CLIENT, 40001, SERVER, 80))).source == OTHER_EXTERNAL


MANY = 20_000
"""More than are settled under one holding of the lock."""


def many_sessions() -> Router:
    """A router with many sessions."""
    router = Router(policy(sessions=MANY), capacity=MANY)
    for number in range(MANY):
        router.out(udp(CLIENT, 10000 + number, SERVER, 53))
    return router


def test_a_lost_address_ends_any_number_of_sessions() -> None:
    router = many_sessions()
    assert router.table.configure(policy(sessions=MANY, external=(OTHER_EXTERNAL,))) == MANY
    assert sum(router.table.gauges().sessions) == 0
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)
    assert read(router.out(udp(CLIENT, 10000, SERVER, 53))).source == OTHER_EXTERNAL


def test_no_packet_leaves_by_a_lost_address_while_its_sessions_end() -> None:
    """Packets come between the steps: a session that has not had its turn is settled by its packet."""
    router = many_sessions()
    ends, stop = set(), threading.Event()

    def send() -> None:
        number = MANY
        while not stop.is_set() or number > MANY - 100:
            number -= 1
            _, sent = router.table.translate(udp(CLIENT, 10000 + number % MANY, SERVER, 53), now=router.now)
            ends.add((changed.is_set(), sent and read(sent).source))

    changed = threading.Event()
    sender = threading.Thread(target=send)
    sender.start()
    wait_until(lambda: ends, "the first packet")
    router.table.configure(policy(sessions=MANY, external=(OTHER_EXTERNAL,)))
    changed.set()
    wait_until(lambda: (True, OTHER_EXTERNAL) in ends, "a packet after the change")
    stop.set()
    sender.join()
    assert (True, EXTERNAL) not in ends
    assert router.table.gauges().sessions[1] == len({row.internal for row in router.rows()})
    assert {row.external[0] for row in router.rows()} == {OTHER_EXTERNAL}


def test_a_port_in_use_is_not_handed_out_again_when_the_range_moves_round_it(router: Router) -> None:
    router.table.configure(policy(ports=((2000, 2000),)))
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.table.configure(policy(ports=((1999, 2001),)))
    new = {read(router.out(udp(OTHER_CLIENT, port, SERVER, 53))).source_port for port in (40000, 40001)}
    assert new == {1999, 2001}
    assert router.try_out(udp(OTHER_CLIENT, 40002, SERVER, 53))[0] == "ports_exhausted"


def test_filtering_changes_for_sessions_that_stand(router: Router) -> None:
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    assert router.try_in(udp(OTHER_SERVER, 53, EXTERNAL, near))[0] == "filtered"
    router.table.configure(policy(filtering_udp=Filtering.ENDPOINT_INDEPENDENT))
    assert router.try_in(udp(OTHER_SERVER, 53, EXTERNAL, near))[0] == ""


@pytest.mark.parametrize("network", ["192.168.1.0/24", "192.168.1.10/32", "192.168.0.0/16", "192.128.0.0/9"])
def test_networks_of_any_length_are_internal(network: str) -> None:
    router = Router(policy(internal=(IPv4Network("10.0.0.0/8"), IPv4Network(network))))
    assert router.out(udp(CLIENT, 40000, SERVER, 53))
    assert router.out(udp(IPv4Address("10.255.255.255"), 40000, SERVER, 53))


@pytest.mark.parametrize("network", ["192.168.2.0/24", "192.168.1.8/31", "192.168.1.11/32", "64.0.0.0/2"])
def test_what_is_outside_every_network_is_not_internal(network: str) -> None:
    router = Router(policy(internal=(IPv4Network("10.0.0.0/8"), IPv4Network(network))))
    internal = CLIENT in IPv4Network(network)
    assert router.try_out(udp(CLIENT, 40000, SERVER, 53))[0] == ("" if internal else "source_not_internal")


@pytest.mark.parametrize(
    "rules",
    [
        policy(external=tuple(IPv4Address(number) for number in range(257))),
        policy(internal=tuple(IPv4Network((number << 8, 24)) for number in range(4097))),
    ],
)
def test_more_than_the_core_has_room_for_is_refused_and_the_old_policy_stays(
    router: Router, rules: Policy
) -> None:
    router.out(FOUR[0])
    with pytest.raises(ValueError, match="at most"):
        router.table.configure(rules)
    assert router.out(FOUR[0])
    assert router.out(FOUR[1])


def test_as_many_as_there_is_room_for_are_taken() -> None:
    addresses = tuple(EXTERNAL + number for number in range(256))
    networks = tuple(IPv4Network((int(CLIENT) - 2 * number, 32)) for number in range(4096))
    router = Router(policy(external=addresses, internal=networks))
    assert read(router.out(FOUR[0])).source in addresses
    assert router.table.gauges().ports_capacity == (256 * 31744,) * 3 + (0,)


def test_flush_ends_the_sessions_of_a_host(router: Router) -> None:
    for packet in FOUR:
        router.out(packet)
    near = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))).source_port
    assert router.table.flush(CLIENT) == 4
    assert router.table.flush(CLIENT) == 0
    assert router.table.flush(SERVER) == 0
    assert router.table.hosts() == {OTHER_CLIENT: (1, 1)}
    assert read(router.into(udp(SERVER, 53, EXTERNAL, near))).destination == OTHER_CLIENT


def test_flush_ends_all_sessions(router: Router) -> None:
    for packet in FOUR:
        router.out(packet)
    assert router.table.flush() == 4
    assert router.rows() == []
    assert router.table.gauges().sessions == (0, 0, 0, 0)
    assert router.table.counters().expired == (0, 0, 0, 0), "they did not expire"
    assert all(router.out(packet) for packet in FOUR)


def test_the_address_of_nobody_flushes_nobody(router: Router) -> None:
    router.out(FOUR[0])
    assert router.table.flush(IPv4Address("0.0.0.0")) == 0


@pytest.mark.parametrize("capacity", [0, -1, 1 << 27])
def test_a_table_that_cannot_be_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="can be had"):
        Table(None, capacity)
