"""Addresses that are both inside and outside."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from nfmasq.machine.overlap import overlaps
from nfmasq.machine.surroundings import Surroundings
from nfmasq.machine.uplinks import Outside

LAN = IPv4Network("192.168.1.0/24")
EXTERNAL = IPv4Address("203.0.113.1")
INSIDE = IPv4Address("192.168.1.77")


@dataclass(frozen=True)
class Sides:
    """A router's interfaces, and its pool."""

    internal: tuple[str, ...] = ("lan0",)
    external: tuple[str, ...] = ("wan0",)
    addresses: tuple[IPv4Network, ...] = ()


def surroundings(address: IPv4Address, *contested: IPv4Network) -> Surroundings:
    """One uplink with this address, beside the LAN."""
    outside = Outside("wan0", 3, 1500, (address,), (address,))
    return Surroundings((outside,), (LAN,), (), (), contested, ())


def test_sides_that_are_apart_do_not_overlap() -> None:
    assert not list(overlaps(Sides(), surroundings(EXTERNAL)))


def test_an_external_address_inside_is_named_with_where_it_comes_from() -> None:
    inside = surroundings(INSIDE, IPv4Network(INSIDE))
    (own,) = overlaps(Sides(), inside)
    assert f"the external address {INSIDE} lies in a network behind lan0" in own.why
    assert "give wan0 another address" in own.mend
    (pool,) = overlaps(Sides(addresses=(IPv4Network(INSIDE),)), inside)
    assert "give nat.addresses another address" in pool.mend


def test_a_network_with_a_route_by_both_sides_is_named() -> None:
    (found,) = overlaps(Sides(), surroundings(EXTERNAL, LAN))
    assert found.why.startswith(f"{LAN} is behind lan0 and on the side of wan0")
    assert f"the route to {LAN}" in found.mend
