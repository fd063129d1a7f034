"""What the forwards claim, and whether local sockets come first."""

from ipaddress import IPv4Address
from itertools import pairwise
from socket import IPPROTO_TCP, IPPROTO_UDP

from hypothesis import given
from hypothesis import strategies as st

from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget
from nfmasq.diversion.claims import Span, claimed_by, merge
from nfmasq.diversion.iptables_rules import _matches

EXTERNAL, OTHER = IPv4Address("203.0.113.2"), IPv4Address("203.0.113.3")
TARGETS = (ForwardTarget(IPv4Address("192.168.1.10")),)
GRE = 47

spans = st.tuples(st.integers(1, 300), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair)))


def _forward(protocol: int, external: IPv4Address | None, ports: Span = ALL_PORTS) -> Forward:
    return Forward(protocol, external, ports, TARGETS)


def test_a_named_port_is_claimed_of_its_protocol_only() -> None:
    claims = claimed_by([_forward(IPPROTO_TCP, None, (80, 80))])
    assert (claims.everywhere, claims.whole, claims.at, claims.default_host) == (
        (("tcp", ((80, 80),)),),
        (),
        (),
        (),
    )


def test_a_port_of_any_protocol_is_claimed_of_both() -> None:
    claims = claimed_by([_forward(ANY_PROTOCOL, None, (80, 80))])
    assert claims.everywhere == (("tcp", ((80, 80),)), ("udp", ((80, 80),)))


def test_an_address_given_to_hosts_is_claimed_whole_and_its_ports_need_no_rule_of_their_own() -> None:
    claims = claimed_by([_forward(IPPROTO_TCP, EXTERNAL, (80, 80)), _forward(ANY_PROTOCOL, EXTERNAL)])
    assert (claims.whole, claims.at) == ((EXTERNAL,), ())


def test_all_ports_of_one_protocol_of_an_address_are_claimed_before_local_sockets() -> None:
    claims = claimed_by([_forward(IPPROTO_UDP, EXTERNAL), _forward(IPPROTO_TCP, OTHER, (1, 9))])
    assert claims.at == ((EXTERNAL, "udp", (ALL_PORTS,)), (OTHER, "tcp", ((1, 9),)))


def test_the_default_host_gets_what_is_left_over() -> None:
    assert claimed_by([_forward(ANY_PROTOCOL, None)]).default_host == ("tcp", "udp")
    only_udp = claimed_by([_forward(IPPROTO_UDP, None)])
    assert (only_udp.default_host, only_udp.everywhere) == (("udp",), ())


def test_protocols_without_ports_claim_nothing() -> None:
    claims = claimed_by([_forward(GRE, None), _forward(GRE, EXTERNAL)])
    assert claims == claimed_by([])


@given(st.lists(spans, max_size=40))
def test_merging_keeps_the_ports_and_leaves_gaps_between_the_spans(given_spans: list[Span]) -> None:
    merged = merge(given_spans)
    assert _ports(merged) == _ports(tuple(given_spans))
    assert all(one[1] + 1 < other[0] for one, other in pairwise(merged))


@given(st.lists(spans, min_size=1, max_size=80))
def test_the_matches_of_iptables_hold_the_same_ports_and_no_more_than_multiport_takes(
    given_spans: list[Span],
) -> None:
    taken: list[Span] = []
    for match in _matches("tcp", merge(given_spans)):
        words = match.rpartition(" ")[2].split(",")
        ends = [tuple(map(int, word.split(":"))) for word in words]
        assert 0 < sum(map(len, ends)) <= 15
        taken += [(each[0], each[-1]) for each in ends]
    assert _ports(tuple(taken)) == _ports(tuple(given_spans))


def _ports(taken: tuple[Span, ...]) -> set[int]:
    return {port for first, last in taken for port in range(first, last + 1)}
