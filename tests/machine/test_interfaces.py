"""What is read of the interfaces."""

import socket
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from support.path import CLIENT, EXTERNAL, Path

from nfmasq.config import Config
from nfmasq.core.limits import MOST_INTERNAL_NETWORKS
from nfmasq.machine.interfaces import Uplink, UplinkMissing, read_uplink

pytestmark = pytest.mark.root

LAN = IPv4Network("192.168.1.0/24")


def _config(**nat: Any) -> Config:
    return Config.model_validate({"nat": {"internal": ["lan0"], "external": "wan0", **nat}})


def _read(path: Path, **nat: Any) -> Uplink:
    uplink: Uplink = path.router.call(read_uplink, _config(**nat).nat)
    return uplink


def test_the_external_address_and_the_connected_network_are_found(path: Path) -> None:
    uplink = _read(path)
    assert (uplink.external, uplink.internal) == ((IPv4Address(EXTERNAL),), (LAN,))


def test_the_index_and_the_mtu_of_the_external_interface_are_told(path: Path) -> None:
    path.router.ip("link set wan0 mtu 1492")
    index: int = path.router.call(socket.if_nametoindex, "wan0")
    uplink = _read(path)
    assert (uplink.index, uplink.mtu) == (index, 1492)


def test_an_interface_made_anew_is_another_uplink(path: Path) -> None:
    """Nothing but the index may tell: the name, the address and the networks are the same."""
    before = _read(path)
    path.router.ip(
        "link del wan0",
        "link add wan0 type bridge",
        f"address add {EXTERNAL}/24 dev wan0",
        "link set wan0 up",
    )
    after = _read(path)
    assert after != before
    assert (after.external, after.internal, after.mtu) == (before.external, before.internal, before.mtu)


def test_several_primary_addresses_keep_the_kernels_order(path: Path) -> None:
    path.router.ip("address add 198.51.100.9/24 dev wan0", "address add 198.51.100.3/25 dev wan0")
    assert _read(path).external == tuple(map(IPv4Address, (EXTERNAL, "198.51.100.9", "198.51.100.3")))


def test_secondary_and_link_scope_addresses_are_not_external(path: Path) -> None:
    path.router.ip("address add 203.0.113.2/24 dev wan0", "address add 169.254.9.9/16 dev wan0 scope link")
    assert _read(path).external == (IPv4Address(EXTERNAL),)


def test_no_external_address_is_no_error(path: Path) -> None:
    path.router.ip("address flush dev wan0")
    assert _read(path).external == ()


def test_a_pool_stands_in_place_of_the_interfaces_address(path: Path) -> None:
    uplink = _read(path, addresses=["198.51.100.7", "198.51.100.16/30", "198.51.100.7"])
    hosts = ("198.51.100.7", *(f"198.51.100.{number}" for number in range(16, 20)))
    assert uplink.external == tuple(map(IPv4Address, hosts))


def test_networks_routed_out_by_an_internal_interface_are_internal(path: Path) -> None:
    path.router.ip(
        f"route add 10.1.0.0/16 via {CLIENT}",
        f"route add 172.16.0.0/12 proto static nexthop via {CLIENT} nexthop via 192.168.1.3",
        "route add 198.51.100.0/24 dev wan0",
    )
    assert set(_read(path).internal) == {LAN, IPv4Network("10.1.0.0/16"), IPv4Network("172.16.0.0/12")}


def test_a_route_in_another_table_counts_and_a_default_route_never_makes_the_world_internal(
    path: Path,
) -> None:
    path.router.ip(f"route add 10.2.0.0/16 via {CLIENT} table 100", f"route add default via {CLIENT}")
    assert set(_read(path).internal) == {LAN, IPv4Network("10.2.0.0/16")}


def test_networks_inside_others_are_merged(path: Path) -> None:
    path.router.ip("address add 192.168.0.1/24 dev lan0", f"route add 192.168.1.128/25 via {CLIENT}")
    assert _read(path).internal == (IPv4Network("192.168.0.0/23"),)


def test_the_peer_of_a_point_to_point_interface_is_internal(path: Path) -> None:
    path.router.ip("address flush dev lan0", "address add 10.0.0.1 peer 10.0.0.2/32 dev lan0")
    assert _read(path).internal == (IPv4Network("10.0.0.2/32"),)


def test_more_networks_than_the_core_holds_are_an_error_that_names_both_numbers(path: Path) -> None:
    """The policy and the rules would stay as they were, and the status would say that all is well."""
    routes = (
        f"route add 10.{2 * number}.0.0/16 via {CLIENT}" for number in range(MOST_INTERNAL_NETWORKS - 1)
    )
    path.router.ip(*routes)
    assert len(_read(path).internal) == MOST_INTERNAL_NETWORKS
    path.router.ip(f"route add 172.16.0.0/12 via {CLIENT}")
    with pytest.raises(UplinkMissing, match="65 internal networks on lan0: the core holds 64 at most"):
        _read(path)


def test_a_missing_interface_is_named_with_those_there_are(path: Path) -> None:
    with pytest.raises(UplinkMissing, match=r"interface lan9 does not exist .*lan0.*wan0"):
        _read(path, internal=["lan9"])
    with pytest.raises(UplinkMissing, match="interface ppp0 does not exist"):
        _read(path, external="ppp0")
