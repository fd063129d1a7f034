"""Addresses that are both inside and outside."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from nfmasq.machine.interfaces import Uplink
from nfmasq.machine.overlap import overlaps

LAN = IPv4Network("192.168.1.0/24")
EXTERNAL = IPv4Address("203.0.113.1")


@dataclass(frozen=True)
class Sides:
    """A router's interfaces, and its pool."""

    internal: tuple[str, ...] = ("lan0",)
    external: str = "wan0"
    addresses: tuple[IPv4Network, ...] = ()


def test_sides_that_are_apart_do_not_overlap() -> None:
    assert not list(overlaps(Sides(), Uplink((EXTERNAL,), (LAN,), outside=(IPv4Network("203.0.113.0/24"),))))


def test_an_external_address_inside_is_named_with_where_it_comes_from() -> None:
    inside = IPv4Address("192.168.1.77")
    (own,) = overlaps(Sides(), Uplink((inside,), (LAN,)))
    assert f"{inside} lies in {LAN}" in own.why
    assert "give wan0 another address" in own.mend
    (pool,) = overlaps(Sides(addresses=(IPv4Network(inside),)), Uplink((inside,), (LAN,)))
    assert "give nat.addresses another address" in pool.mend


def test_of_two_networks_the_smaller_is_on_both_sides() -> None:
    wide = IPv4Network("192.168.0.0/16")
    (found,) = overlaps(Sides(), Uplink((EXTERNAL,), (LAN,), outside=(wide,)))
    assert found.why.startswith(f"{LAN} is behind lan0")
    assert f"the route to {wide}" in found.mend
