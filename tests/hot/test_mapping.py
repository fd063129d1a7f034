"""Mappings are endpoint-independent (RFC 4787 REQ-1), and what there is is told right."""

from collections.abc import Iterable

import pytest
from support.packets import ACK, GRE, SYN, portless, query, read, tcp, udp
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

from nfmasq._fastpath import MappingRow, SessionRow


def test_an_endpoint_keeps_its_external_endpoint_whomever_it_speaks_to(router: Router) -> None:
    ports = {
        read(router.out(udp(CLIENT, 40000, server, port))).source_port
        for server in (SERVER, OTHER_SERVER)
        for port in (53, 54, 55)
    }
    assert len(ports) == 1
    assert router.table.gauges().mappings == (0, 1, 0, 0)
    assert router.table.gauges().sessions == (0, 6, 0, 0)


def test_an_endpoint_keeps_its_external_endpoint_over_tcp(router: Router) -> None:
    first = read(router.out(tcp(CLIENT, 40000, SERVER, 80)))
    second = read(router.out(tcp(CLIENT, 40000, OTHER_SERVER, 443)))
    assert first.source_port == second.source_port


def test_a_query_identifier_keeps_its_external_one_whomever_it_asks(router: Router) -> None:
    first = read(router.out(query(CLIENT, SERVER, 7)))
    second = read(router.out(query(CLIENT, OTHER_SERVER, 7)))
    assert first.source_port == second.source_port


def test_a_mapping_lasts_until_its_last_session_ends(router: Router) -> None:
    first = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    router.wait(200)
    router.out(udp(CLIENT, 40000, OTHER_SERVER, 53))
    assert router.wait(200) == 1
    assert read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port == first


def test_all_endpoints_of_a_host_share_one_address_of_the_pool() -> None:
    router = Router(policy(external=(EXTERNAL, OTHER_EXTERNAL)))
    for host, server in ((CLIENT, SERVER), (OTHER_CLIENT, OTHER_SERVER)):
        used = {read(router.out(udp(host, port, server, 53))).source for port in range(40000, 40008)}
        used |= {read(router.out(tcp(host, 40000, server, 80))).source}
        used |= {read(router.out(query(host, server, 7))).source}
        used |= {read(router.out(portless(host, server))).source}
        assert len(used) == 1, "RFC 4787 REQ-2: paired"


def test_a_large_household_uses_every_address_of_the_pool() -> None:
    router = Router(policy(external=(EXTERNAL, OTHER_EXTERNAL), sessions=256), capacity=256)
    used = {
        read(router.out(udp(host, 40000, SERVER, 53))).source for host in list(policy().internal[0].hosts())
    }
    assert used == {EXTERNAL, OTHER_EXTERNAL}


def test_sessions_are_told_with_all_their_endpoints_and_counts(router: Router) -> None:
    asked = udp(CLIENT, 40000, SERVER, 53, b"question")
    near = read(router.out(asked)).source_port
    router.out(asked)
    answer = udp(SERVER, 53, EXTERNAL, near, b"a longer answer")
    router.wait(10)
    router.into(answer)
    row = router.row()
    assert row[1:6] == (17, (CLIENT, 40000), (EXTERNAL, near), (SERVER, 53), "-")
    assert row[6:10] == (2, 1, 2 * len(asked), len(answer))
    assert (row.age_s, row.expires_s) == (10, 300)


def test_mappings_are_told_with_their_sessions(router: Router) -> None:
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    router.out(udp(CLIENT, 40000, OTHER_SERVER, 53))
    (row,) = router.table.mappings()
    assert row[1:5] == (17, (CLIENT, 40000), (EXTERNAL, near), 2)


def test_hosts_are_told_with_their_sessions_and_mappings(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.out(udp(CLIENT, 40000, OTHER_SERVER, 53))
    router.out(tcp(CLIENT, 40000, SERVER, 80))
    router.out(query(OTHER_CLIENT, SERVER, 7))
    assert router.table.hosts() == {CLIENT: (3, 2), OTHER_CLIENT: (1, 1)}
    router.table.flush(OTHER_CLIENT)
    assert router.table.hosts() == {CLIENT: (3, 2)}


def test_lists_are_read_in_parts_by_number(router: Router) -> None:
    for port in range(40000, 40010):
        router.out(udp(CLIENT, port, SERVER, 53))
    for read_rows in (router.table.sessions, router.table.mappings):
        whole = read_rows()
        parts = [read_rows(limit=4)]
        while parts[-1]:
            parts.append(read_rows(after=parts[-1][-1].number, limit=4))
        assert [len(part) for part in parts] == [4, 4, 2, 0]
        assert [row.number for part in parts for row in part] == [row.number for row in whole]
        assert [row.internal for part in parts for row in part] == [
            (CLIENT, port) for port in range(40000, 40010)
        ]


def test_lists_can_be_filtered(router: Router) -> None:
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    router.out(tcp(CLIENT, 40001, SERVER, 80))
    router.out(udp(OTHER_CLIENT, 40002, OTHER_SERVER, 54))
    sessions, mappings = router.table.sessions, router.table.mappings

    def ports(rows: Iterable[SessionRow] | Iterable[MappingRow]) -> list[int]:
        return [row.internal[1] for row in rows]

    for rows in (sessions, mappings):
        assert ports(rows(host=CLIENT)) == [40000, 40001]
        assert ports(rows(host=EXTERNAL)) == [40000, 40001, 40002]
        assert ports(rows(port=40001)) == [40001]
        assert ports(rows(port=near)) == [40000]
        assert ports(rows(protocol=17)) == [40000, 40002]
        assert ports(rows(protocol=17, host=CLIENT)) == [40000]
        assert ports(rows(host=CLIENT, port=40002)) == []
    assert ports(sessions(host=OTHER_SERVER)) == [40002]
    assert ports(sessions(port=80)) == [40001]


def test_every_packet_is_counted_once_by_what_became_of_it(router: Router) -> None:
    asked = udp(CLIENT, 40000, SERVER, 53, b"question")
    near = read(router.out(asked)).source_port
    router.into(udp(SERVER, 53, EXTERNAL, near))
    router.out(tcp(CLIENT, 40000, SERVER, 80))
    router.out(query(CLIENT, SERVER, 7))
    router.out(portless(CLIENT, SERVER, GRE))
    assert router.try_in(tcp(SERVER, 80, EXTERNAL, 5, SYN | ACK))[0] == "no_mapping"
    assert router.passed(portless(OTHER_SERVER, EXTERNAL, GRE), inbound=True)
    counters = router.table.counters()
    assert counters.packets == ((1, 1, 1, 1), (0, 1, 0, 0), (0, 0, 0, 0))
    assert counters.bytes[0][1] == len(asked)
    assert counters.created == (1, 1, 1, 1)
    assert sum(counters.dropped) == 1
    assert counters.passed == 2, "the segment was let by before it was dropped"
    router.wait(100_000)
    assert router.table.counters().expired == (1, 1, 1, 1)


@pytest.mark.parametrize("packet", [udp(CLIENT, 40000, SERVER, 53), tcp(CLIENT, 40000, SERVER, 80)])
def test_ports_in_use_are_counted(router: Router, packet: bytes) -> None:
    router.out(packet)
    gauges = router.table.gauges()
    assert sum(gauges.ports_in_use) == 1
    assert gauges.ports_in_use == gauges.mappings
    assert gauges.ports_capacity == (31744, 31744, 31744, 0)
    router.wait(100_000)
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)
