"""What is read of the interfaces for checks that are made once."""

from ipaddress import IPv4Network

import pytest
from support.path import EXTERNAL, Path

from nfmasq.machine.interfaces import (
    default_interfaces,
    local_networks,
    read_interfaces,
)

pytestmark = pytest.mark.root


def test_every_interface_is_there_with_its_addresses(path: Path) -> None:
    found = path.router.call(read_interfaces)
    assert set(found) == {"lo", "lan0", "wan0"}
    assert EXTERNAL in [entry["local"] for entry in found["wan0"]["addr_info"]]


def test_the_routers_own_addresses_are_local(path: Path) -> None:
    assert IPv4Network(EXTERNAL) in path.router.call(local_networks)


def test_a_default_route_is_found_by_all_its_hops(path: Path) -> None:
    assert path.router.call(default_interfaces) == set()
    path.router.ip("route add default nexthop via 203.0.113.9 dev wan0 nexthop via 192.168.1.2 dev lan0")
    assert path.router.call(default_interfaces) == {"wan0", "lan0"}
