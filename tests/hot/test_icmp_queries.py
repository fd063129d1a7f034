"""ICMP queries: their identifier is what a port is elsewhere (RFC 5508 section 3)."""

import pytest
from support.packets import ECHO, ECHO_REPLY, TIMESTAMP, TIMESTAMP_REPLY, query, read, sums_are_right
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router

PAIRS = [(ECHO, ECHO_REPLY), (TIMESTAMP, TIMESTAMP_REPLY), (15, 16), (17, 18)]
IDENTIFIER_AND_SUM = {2, 3, 4, 5}


@pytest.mark.parametrize("payload", [b"", b"odd", bytes(1472)])
@pytest.mark.parametrize(("request_kind", "reply_kind"), PAIRS)
@pytest.mark.parametrize("identifier", [0, 1, 7, 0xFFFF])
def test_a_query_leaves_under_an_identifier_of_ours_and_its_reply_comes_back(
    router: Router, request_kind: int, reply_kind: int, identifier: int, payload: bytes
) -> None:
    asked = query(CLIENT, SERVER, identifier, request_kind, payload)
    sent = router.out(asked)
    near = read(sent)
    assert near.source == EXTERNAL
    assert near.source_port >= 1024
    assert sums_are_right(sent)
    assert {at for at in range(20, len(asked)) if asked[at] != sent[at]} <= {
        20 + at for at in IDENTIFIER_AND_SUM
    }

    got = router.into(query(SERVER, EXTERNAL, near.source_port, reply_kind, payload))
    assert got[20:] == query(SERVER, CLIENT, identifier, reply_kind, payload)[20:]
    assert read(got).destination == CLIENT
    assert sums_are_right(got)
    assert router.row()[2:6] == ((CLIENT, identifier), (EXTERNAL, near.source_port), (SERVER, 0), "-")


def test_two_hosts_with_one_identifier_get_two(router: Router) -> None:
    first = read(router.out(query(CLIENT, SERVER, 7))).source_port
    second = read(router.out(query(OTHER_CLIENT, SERVER, 7))).source_port
    assert first != second
    assert read(router.into(query(SERVER, EXTERNAL, first, ECHO_REPLY))).destination == CLIENT
    assert read(router.into(query(SERVER, EXTERNAL, second, ECHO_REPLY))).destination == OTHER_CLIENT


@pytest.mark.parametrize("kind", [ECHO, TIMESTAMP, 4, 9, 10, 40])
def test_what_somebody_asks_or_tells_the_router_itself_passes(router: Router, kind: int) -> None:
    near = read(router.out(query(CLIENT, SERVER, 7))).source_port
    for identifier in (0, near):
        assert router.passed(query(SERVER, EXTERNAL, identifier, kind), inbound=True)
    assert router.row().packets_in == 0


def test_a_reply_to_the_router_s_own_ping_passes(router: Router) -> None:
    near = read(router.out(query(CLIENT, SERVER, 7))).source_port
    assert router.passed(query(SERVER, EXTERNAL, near ^ 1, ECHO_REPLY), inbound=True)
    assert router.passed(query(OTHER_SERVER, EXTERNAL, near, ECHO_REPLY), inbound=True)
    assert router.passed(query(SERVER, EXTERNAL, 0, ECHO_REPLY), inbound=True)


def test_a_reply_with_a_wrong_checksum_stays_as_wrong_as_it_came(router: Router) -> None:
    near = read(router.out(query(CLIENT, SERVER, 7))).source_port
    good = query(SERVER, EXTERNAL, near, ECHO_REPLY)
    bad = good[:-1] + bytes([good[-1] ^ 1])
    assert not sums_are_right(router.into(bad))
    assert sums_are_right(router.into(good))
