"""Which outside packets an external endpoint lets in (RFC 4787 section 5, RFC 5382 section 4)."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from support.packets import ACK, SYN, query, read, tcp, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy

from nfmasq.core.policy import Filtering

INDEPENDENT = Filtering.ENDPOINT_INDEPENDENT
BY_ADDRESS = Filtering.ADDRESS_DEPENDENT
BY_ADDRESS_AND_PORT = Filtering.ADDRESS_AND_PORT_DEPENDENT

Make = Callable[[IPv4Address, int, IPv4Address, int], bytes]


@pytest.mark.parametrize(
    ("filtering", "remote", "port", "reason"),
    [
        (INDEPENDENT, SERVER, 53, ""),
        (INDEPENDENT, SERVER, 54, ""),
        (INDEPENDENT, OTHER_SERVER, 53, ""),
        (BY_ADDRESS, SERVER, 53, ""),
        (BY_ADDRESS, SERVER, 54, ""),
        (BY_ADDRESS, OTHER_SERVER, 53, "filtered"),
        (BY_ADDRESS_AND_PORT, SERVER, 53, ""),
        (BY_ADDRESS_AND_PORT, SERVER, 54, "filtered"),
        (BY_ADDRESS_AND_PORT, OTHER_SERVER, 53, "filtered"),
    ],
)
@pytest.mark.parametrize("make", [udp, tcp])
def test_who_may_answer(
    make: Make, filtering: Filtering, remote: IPv4Address, port: int, reason: str
) -> None:
    router = Router(policy(filtering_udp=filtering, filtering_tcp=filtering))
    near = read(router.out(make(CLIENT, 40000, SERVER, 53))).source_port
    found, got = router.try_in(make(remote, port, EXTERNAL, near))
    assert found == reason
    if not reason:
        assert read(got)[2:] == (CLIENT, 40000)


def test_tcp_and_udp_are_filtered_each_its_own_way() -> None:
    router = Router(policy(filtering_udp=INDEPENDENT, filtering_tcp=BY_ADDRESS_AND_PORT))
    near_udp = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    near_tcp = read(router.out(tcp(CLIENT, 40000, SERVER, 53))).source_port
    assert router.try_in(udp(OTHER_SERVER, 9, EXTERNAL, near_udp))[0] == ""
    assert router.try_in(tcp(OTHER_SERVER, 9, EXTERNAL, near_tcp))[0] == "filtered"


def test_what_one_endpoint_spoke_to_opens_nothing_for_another(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    near = read(router.out(udp(OTHER_CLIENT, 40000, OTHER_SERVER, 53))).source_port
    assert router.try_in(udp(SERVER, 53, EXTERNAL, near))[0] == "filtered"


def test_a_remote_address_is_forgotten_with_its_last_session(router: Router) -> None:
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    router.out(udp(CLIENT, 40000, SERVER, 54))
    router.wait(200)
    router.out(udp(CLIENT, 40000, OTHER_SERVER, 53))
    router.out(udp(CLIENT, 40000, SERVER, 54))
    router.wait(200)
    assert router.try_in(udp(SERVER, 99, EXTERNAL, near))[0] == ""
    router.wait(200)
    router.out(udp(CLIENT, 40000, OTHER_SERVER, 53))
    router.wait(200)
    assert router.try_in(udp(SERVER, 99, EXTERNAL, near))[0] == "filtered"


def test_an_answer_begins_a_session_of_its_own(router: Router) -> None:
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    router.into(udp(SERVER, 54, EXTERNAL, near))
    assert [row.remote for row in router.rows()] == [(SERVER, 53), (SERVER, 54)]
    assert [row.packets_in for row in router.rows()] == [0, 1]
    assert len(router.table.mappings()) == 1


def test_from_outside_too_only_a_syn_begins_a_connection(router: Router) -> None:
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    assert router.try_in(tcp(SERVER, 81, EXTERNAL, near, SYN | ACK))[0] == "tcp_no_session"
    assert router.try_in(tcp(SERVER, 81, EXTERNAL, near, ACK))[0] == "tcp_no_session"
    assert router.try_in(tcp(SERVER, 81, EXTERNAL, near, SYN))[0] == ""


def test_a_reply_of_another_host_than_was_asked_is_not_let_in(router: Router) -> None:
    near = read(router.out(query(CLIENT, SERVER, 7))).source_port
    assert router.passed(query(OTHER_SERVER, EXTERNAL, near, kind=0), inbound=True)
    assert router.row().packets_in == 0
