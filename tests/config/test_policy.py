"""From a configuration to what the core decides by."""

from dataclasses import fields
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from support.surroundings import surrounded

from config.documents import document
from nfmasq.config import forwards_of, parse, policy_of
from nfmasq.config.values import LONGEST_TIMEOUT
from nfmasq.core.limits import MOST_EXTERNAL_ADDRESSES, MOST_SESSIONS
from nfmasq.core.policy import (
    ALL_PORTS,
    ANY_PROTOCOL,
    EVERYWHERE,
    Behaviour,
    Filtering,
    ForwardTarget,
    Limits,
    Mapping,
    NetworkBehaviour,
    Policy,
    Source,
    Timeouts,
    Uplink,
)
from nfmasq.core.policy import Forward as ForwardTo
from nfmasq.machine.surroundings import Surroundings
from nfmasq.machine.uplinks import Outside

EXTERNAL = IPv4Address("198.51.100.7")
HOST = IPv4Address("192.168.1.10")
LAN = IPv4Network("192.168.1.0/24")
HERE = surrounded((EXTERNAL,), (LAN,))
NONE: frozenset[int] = frozenset()
OPEN = Behaviour(filtering=Filtering.ENDPOINT_INDEPENDENT)


def test_the_default_configuration_is_the_default_policy() -> None:
    policy = policy_of(parse(document()), HERE, NONE, NONE, ())
    assert policy == Policy((Uplink(0, (EXTERNAL,), (EXTERNAL,)),), (LAN,), low_ports=((600, 1023),))


def test_every_value_arrives_in_its_place() -> None:
    config = parse(
        document(
            nat={
                "ports": "2000-3000, 4000-5000",
                "low_ports": "700-800",
                "mark": "0x10",
                "hairpinning": False,
                "filtering": "endpoint-independent",
                "mss": 1400,
                "refusals": False,
            },
            limits={
                "sessions": 7,
                "sessions_per_host": 8,
                "ports_per_host": 9,
                "half_open": 10,
                "new_per_second": 11,
                "half_open_per_host": 12,
                "new_per_second_per_host": 13,
            },
            timeouts={
                "udp": 121,
                "tcp_established": 7441,
                "tcp_transitory": 241,
                "icmp": 61,
                "tcp_opening": 50,
                "tcp_closing": 245,
            },
        )
    )
    here = surrounded((), (LAN,), index=3, mtu=1500)
    assert policy_of(config, here, frozenset({2022}), frozenset({2053}), ()) == Policy(
        uplinks=(Uplink(3, (), (), mss=1400),),
        internal=(LAN,),
        ports=((2000, 3000), (4000, 5000)),
        low_ports=((700, 800),),
        behaviours=(NetworkBehaviour(EVERYWHERE, tcp=OPEN, udp=OPEN),),
        timeouts=Timeouts(
            udp=121, tcp_established=7441, tcp_transitory=241, icmp=61, tcp_opening=50, tcp_closing=245
        ),
        limits=Limits(
            sessions=7,
            sessions_per_host=8,
            ports_per_host=9,
            half_open=10,
            new_per_second=11,
            half_open_per_host=12,
            new_per_second_per_host=13,
        ),
        reserved_tcp=frozenset({2022}),
        reserved_udp=frozenset({2053}),
        hairpinning=False,
        mark=0x10,
        refusals=False,
    )


def test_every_limit_and_timeout_of_the_core_has_a_key_with_its_default() -> None:
    config = parse(document())
    written = {"limits": config.limits, "timeouts": config.timeouts}
    for kind, table, without_key in ((Limits, "limits", set()), (Timeouts, "timeouts", {"other"})):
        own = {field.name: getattr(kind(), field.name) for field in fields(kind)}
        keys = own.keys() & type(written[table]).model_fields.keys()
        assert own.keys() - keys == without_key
        assert {name: getattr(written[table], name) for name in keys} == {name: own[name] for name in keys}


def test_the_core_holds_what_a_configuration_may_ask_for_and_no_more() -> None:
    core = pytest.importorskip("nfmasq._fastpath", reason="the compiled core is not built")
    config = parse(document(nat={"addresses": ["10.0.0.0/24"]}, timeouts={"udp": LONGEST_TIMEOUT}))
    pool = tuple(config.nat.addresses[0])
    assert len(pool) == MOST_EXTERNAL_ADDRESSES

    table = core.Table(None, 1000)
    try:
        table.configure(policy_of(config, surrounded(pool, (LAN,)), NONE, NONE, ()))
        with pytest.raises(ValueError):
            table.configure(policy_of(config, surrounded((*pool, EXTERNAL), (LAN,)), NONE, NONE, ()))
    finally:
        table.close()
    with pytest.raises(ValueError):
        core.Table(None, MOST_SESSIONS + 1)


def test_a_protocols_own_filtering_goes_before_that_of_all() -> None:
    nat = {"udp": {"filtering": "endpoint-independent"}, "tcp": {"filtering": "address-and-port-dependent"}}
    policy = policy_of(parse(document(nat=nat)), HERE, NONE, NONE, ())
    assert policy.behaviours[-1].udp.filtering is Filtering.ENDPOINT_INDEPENDENT
    assert policy.behaviours[-1].tcp.filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT

    only_mapping = {"udp": {"mapping": "endpoint-independent"}}
    policy = policy_of(parse(document(nat=only_mapping)), HERE, NONE, NONE, ())
    assert policy.behaviours[-1].udp.filtering is Filtering.ADDRESS_DEPENDENT


def test_a_networks_own_behaviour_goes_before_all_others_the_narrowest_first() -> None:
    nat = {"filtering": "address-and-port-dependent", "udp": {"filtering": "endpoint-independent"}}
    networks = [
        {"cidr": "10.0.0.0/8", "mapping": "address-dependent"},
        {"cidr": "10.1.0.0/16", "filtering": "address-dependent"},
    ]
    narrow, wide, everywhere = policy(document(nat=nat, network=networks)).behaviours
    assert (narrow.network, wide.network) == (IPv4Network("10.1.0.0/16"), IPv4Network("10.0.0.0/8"))
    assert everywhere.network == EVERYWHERE
    assert narrow.udp == narrow.tcp == Behaviour(filtering=Filtering.ADDRESS_DEPENDENT)
    assert wide.udp == Behaviour(Mapping.ADDRESS_DEPENDENT, Filtering.ENDPOINT_INDEPENDENT)
    assert wide.tcp == Behaviour(Mapping.ADDRESS_DEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT)


def policy(written: dict[str, Any], external: tuple[IPv4Address, ...] = (EXTERNAL,), mtu: int = 0) -> Policy:
    """The policy of a document, its forwards included, on an uplink with these addresses."""
    config = parse(written)
    here = surrounded(external, (LAN,), mtu=mtu)
    return policy_of(config, here, NONE, NONE, forwards_of(config.forward))


def test_each_uplink_has_its_addresses_its_sources_and_its_segment_size() -> None:
    far, modem = IPv4Address("203.0.113.2"), IPv4Address("192.168.100.2")
    by_route = (
        Source(IPv4Network("192.168.100.0/24"), modem),
        Source(EVERYWHERE, EXTERNAL),
    )
    outsides = (
        Outside("wan0", 3, 1500, (EXTERNAL, modem), (EXTERNAL, modem), by_route),
        Outside("wwan0", 0, 0, (far,), (far,)),
    )
    made = policy_of(
        parse(document(nat={"external": ["wan0", "wwan0"]})),
        Surroundings(outsides, (LAN,), (), (), (), ()),
        NONE,
        NONE,
        (),
    )
    sources = Source(IPv4Network("192.168.100.0/24"), modem), Source(EVERYWHERE, EXTERNAL)
    assert made.uplinks == (
        Uplink(3, (EXTERNAL, modem), (EXTERNAL, modem), sources, mss=1460),
        Uplink(0, (far,), (far,)),
    )


@pytest.mark.parametrize(
    ("mss", "mtu", "clamped"),
    [
        ("auto", 1492, 1452),
        ("auto", 0, 0),
        ("auto", 20, 0),
        ("auto", 65536, 65495),
        (0, 1492, 0),
        (536, 1492, 536),
    ],
)
def test_the_segment_size_is_what_the_mtu_leaves_unless_written(
    mss: int | str, mtu: int, clamped: int
) -> None:
    assert policy(document(nat={"mss": mss}), mtu=mtu).uplinks[0].mss == clamped


def test_a_forward_is_one_for_each_protocol_and_each_target_keeps_its_ports() -> None:
    keys = {"protocol": "tcp+udp", "external_port": "80-89"}
    to = ["192.168.1.10", "192.168.1.11:90", "192.168.1.12:90-99"]
    tcp, udp = policy(document(forward=[{**keys, "to": to}])).forwards
    assert (tcp.protocol, udp.protocol) == (6, 17)
    assert tcp.targets == udp.targets
    assert tcp.ports == (80, 89)
    assert [target.ports for target in tcp.targets] == [None, (90, 90), (90, 99)]
    (default,) = policy(document(forward=[{"to": "192.168.1.10"}])).forwards
    assert default == ForwardTo(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(HOST),))


def test_the_most_specific_forward_comes_first() -> None:
    written = [
        {"to": "192.168.1.1"},
        {"protocol": "udp", "to": "192.168.1.2"},
        {"protocol": "tcp", "external_port": "80-89", "to": "192.168.1.3"},
        {"protocol": "tcp", "external_port": "80", "to": "192.168.1.4"},
        {"external_address": str(EXTERNAL), "to": "192.168.1.5"},
        {"external_address": str(EXTERNAL), "protocol": "gre", "to": "192.168.1.6"},
        {"external_address": str(EXTERNAL), "protocol": "tcp", "external_port": 80, "to": "192.168.1.7"},
    ]
    there = [str(forward.targets[0].address)[-1] for forward in policy(document(forward=written)).forwards]
    assert there == ["7", "6", "5", "4", "3", "2", "1"]


def test_a_forward_of_an_address_that_is_not_there_waits_for_it() -> None:
    written = document(forward=[{"external_address": "198.51.100.9", "to": "192.168.1.10"}])
    assert policy(written).forwards == ()
    assert len(policy(written, external=(EXTERNAL, IPv4Address("198.51.100.9"))).forwards) == 1


def test_ports_that_are_forwarded_are_not_handed_out() -> None:
    forwards = [
        {"protocol": "tcp", "external_port": "1999-2001", "to": "192.168.1.10"},
        {"protocol": "tcp+udp", "external_port": "2999-3001", "to": "192.168.1.10"},
        {"protocol": "udp", "to": "192.168.1.10"},
        {"to": "192.168.1.10"},
    ]
    config = parse(document(nat={"ports": "2000-3000"}, forward=forwards))
    made = policy_of(config, HERE, frozenset({2022}), frozenset({2053}), forwards_of(config.forward))
    assert made.reserved_tcp == {2000, 2001, 2022, 2999, 3000}
    assert made.reserved_udp == {2053, 2999, 3000}
