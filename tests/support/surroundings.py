"""Surroundings as the daemon would have read them."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from nfmasq.machine.surroundings import Surroundings
from nfmasq.machine.uplinks import Outside


def surrounded(
    external: Sequence[IPv4Address], internal: Sequence[IPv4Network], index: int = 0, mtu: int = 0
) -> Surroundings:
    """One uplink, wan0, with a pool of these addresses; these networks behind the router."""
    addresses = tuple(external)
    return Surroundings((Outside("wan0", index, mtu, addresses, addresses),), tuple(internal), (), (), (), ())
