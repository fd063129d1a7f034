"""For whom a helper is on: for all internal hosts or none, and otherwise for those of some networks."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

Networks = tuple[IPv4Network, ...]


@dataclass(frozen=True)
class Switch:
    """One helper's. networks: narrowest first, and what it is in each; elsewhere it is `everywhere`."""

    everywhere: bool
    networks: tuple[tuple[IPv4Network, bool], ...] = ()

    @property
    def anywhere(self) -> bool:
        """Is it on for anybody?"""
        return self.everywhere or any(on for _, on in self.networks)

    def on_for(self, host: IPv4Address) -> bool:
        """Is it on for this host?"""
        return next((on for network, on in self.networks if host in network), self.everywhere)

    def turned(self, enabled: bool, network: IPv4Network | None = None) -> "Switch":
        """As it is after a turn for one network, whatever was said of parts of it; None: for all."""
        if network is None:
            return Switch(enabled)
        others = [each for each in self.networks if not each[0].subnet_of(network)]
        around = next((on for wider, on in others if network.subnet_of(wider)), self.everywhere)
        if around != enabled:
            others.append((network, enabled))
        return Switch(self.everywhere, tuple(sorted(others, key=_narrowest_first)))

    def hosts(self, internal: Iterable[IPv4Network]) -> Networks | None:
        """Of internal networks, those of hosts it is on for; () when for all; None when for nobody."""
        regions = [(network, self.everywhere) for network in collapse_addresses(internal)]
        for network, on in reversed(self.networks):
            regions = [part for region in regions for part in _carved(*region, network, on)]
        if all(on for _, on in regions) and (regions or self.everywhere):
            return ()
        return tuple(collapse_addresses(network for network, on in regions if on)) or None


def _narrowest_first(each: tuple[IPv4Network, bool]) -> tuple[int, IPv4Network]:
    return -each[0].prefixlen, each[0]


def _carved(region: IPv4Network, was: bool, network: IPv4Network, on: bool) -> list[tuple[IPv4Network, bool]]:
    """A region of which `network`, wholly or in part, becomes `on`."""
    if region.subnet_of(network):
        return [(region, on)]
    if network.subnet_of(region):
        return [(network, on), *((rest, was) for rest in region.address_exclude(network))]
    return [(region, was)]
