"""From a configuration to what the core decides by."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from nfmasq.config import parse, policy_of
from nfmasq.config.models import MOST_ADDRESSES, MOST_SESSIONS
from nfmasq.config.values import LONGEST_TIMEOUT
from nfmasq.policy import EVERYWHERE, Behaviour, Filtering, NetworkBehaviour, Policy, Timeouts

from .documents import document

EXTERNAL = IPv4Address("198.51.100.7")
LAN = IPv4Network("192.168.1.0/24")
OPEN = Behaviour(filtering=Filtering.ENDPOINT_INDEPENDENT)


def test_the_default_configuration_is_the_default_policy() -> None:
    policy = policy_of(parse(document()), [EXTERNAL], [LAN], frozenset(), frozenset())
    assert policy == Policy((EXTERNAL,), (LAN,))


def test_every_value_arrives_in_its_place() -> None:
    config = parse(
        document(
            nat={"ports": "2000-3000", "filtering": "endpoint-independent"},
            limits={"sessions": 7, "sessions_per_host": 8, "ports_per_host": 9},
            timeouts={"udp": 121, "tcp_established": 7441, "tcp_transitory": 241, "icmp": 61},
        )
    )
    assert policy_of(config, [], [LAN], frozenset({2022}), frozenset({2053})) == Policy(
        external=(),
        internal=(LAN,),
        ports=(2000, 3000),
        behaviours=(NetworkBehaviour(EVERYWHERE, tcp=OPEN, udp=OPEN),),
        timeouts=Timeouts(udp=121, tcp_established=7441, tcp_transitory=241, icmp=61),
        sessions=7,
        sessions_per_host=8,
        ports_per_host=9,
        reserved_tcp=frozenset({2022}),
        reserved_udp=frozenset({2053}),
    )


def test_the_core_holds_what_a_configuration_may_ask_for_and_no_more() -> None:
    core = pytest.importorskip("nfmasq._fastpath", reason="the compiled core is not built")
    config = parse(document(nat={"addresses": ["10.0.0.0/24"]}, timeouts={"udp": LONGEST_TIMEOUT}))
    pool = list(config.nat.addresses[0])
    assert len(pool) == MOST_ADDRESSES

    table = core.Table(None, 1000)
    try:
        table.configure(policy_of(config, pool, [LAN], frozenset(), frozenset()))
        with pytest.raises(ValueError):
            table.configure(policy_of(config, [*pool, EXTERNAL], [LAN], frozenset(), frozenset()))
    finally:
        table.close()
    with pytest.raises(ValueError):
        core.Table(None, MOST_SESSIONS + 1)


def test_a_protocols_own_filtering_goes_before_that_of_all() -> None:
    nat = {"udp": {"filtering": "endpoint-independent"}, "tcp": {"filtering": "address-and-port-dependent"}}
    policy = policy_of(parse(document(nat=nat)), [EXTERNAL], [LAN], frozenset(), frozenset())
    assert policy.behaviours[-1].udp.filtering is Filtering.ENDPOINT_INDEPENDENT
    assert policy.behaviours[-1].tcp.filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT

    only_mapping = {"udp": {"mapping": "endpoint-independent"}}
    policy = policy_of(parse(document(nat=only_mapping)), [EXTERNAL], [LAN], frozenset(), frozenset())
    assert policy.behaviours[-1].udp.filtering is Filtering.ADDRESS_DEPENDENT
