"""Interfaces that this machine lacks. Every network namespace has a loopback."""

import socket
from ipaddress import IPv4Network

from config.documents import document
from nfmasq.config import ConfigError, Wanted, missing_interfaces, parse, wanted_of

LOOPBACK = "lo"
MISSING = "zz9"


def test_interfaces_that_exist_are_not_named() -> None:
    assert missing_interfaces(parse(document(nat={"internal": [LOOPBACK], "external": MISSING}))) == [
        ConfigError("nat.external", f'no interface "{MISSING}" here; there are: {_existing()}')
    ]


def test_a_missing_interface_names_the_nearest_there_is() -> None:
    errors = missing_interfaces(parse(document(nat={"internal": [MISSING, "loo"], "external": LOOPBACK})))
    assert [error.key for error in errors] == ["nat.internal[0]", "nat.internal[1]"]
    assert errors[1].reason == 'no interface "loo" here; did you mean "lo"?'


def test_each_uplink_that_is_away_is_named_with_its_place() -> None:
    missing = missing_interfaces(parse(document(nat={"internal": [LOOPBACK], "external": ["zz8", MISSING]})))
    assert [each.key for each in missing] == ["nat.external[0]", "nat.external[1]"]


def test_what_is_wanted_of_the_surroundings_is_as_written() -> None:
    wanted = wanted_of(
        parse(
            document(
                nat={"external": ["wan0", "wwan0"], "addresses": {"wwan0": ["198.51.100.7"]}},
                network=[
                    {"cidr": "198.18.5.0/28", "translate": False},
                    {"cidr": "192.168.2.0/24", "filtering": "endpoint-independent"},
                ],
            )
        )
    )
    assert wanted == Wanted(
        internal=("lan0",),
        external=("wan0", "wwan0"),
        pools={"wwan0": [IPv4Network("198.51.100.7")]},
        translate=((IPv4Network("198.18.5.0/28"), False),),
    )


def _existing() -> str:
    return ", ".join(sorted(name for _, name in socket.if_nameindex()))
