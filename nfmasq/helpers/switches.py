"""For whom a helper is enabled: for all internal hosts or for none, except for the hosts of some networks."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

Networks = tuple[IPv4Network, ...]


@dataclass(frozen=True)
class Switch:
    """One helper's switch. networks: narrowest first, each with whether the helper is enabled in it.

    everywhere: whether it is enabled for hosts of no such network.
    """

    everywhere: bool
    networks: tuple[tuple[IPv4Network, bool], ...] = ()

    @property
    def anywhere(self) -> bool:
        """Is the helper enabled for any host?"""
        return self.everywhere or any(enabled for _, enabled in self.networks)

    def enabled_for(self, host: IPv4Address) -> bool:
        """Is the helper enabled for this host?"""
        return next((enabled for network, enabled in self.networks if host in network), self.everywhere)

    def with_enabled(self, enabled: bool, network: IPv4Network | None = None) -> "Switch":
        """The switch after a change for one network, which overrides its parts; None: for all hosts."""
        if network is None:
            return Switch(enabled)
        others = [each for each in self.networks if not each[0].subnet_of(network)]
        around = next((there for wider, there in others if network.subnet_of(wider)), self.everywhere)
        if around != enabled:
            others.append((network, enabled))
        return Switch(self.everywhere, tuple(sorted(others, key=_narrowest_first)))

    def hosts(self, internal: Iterable[IPv4Network]) -> Networks | None:
        """The parts of internal networks in which the helper is enabled; (): in all; None: in no part."""
        if not self.networks:  # whatever is inside
            return () if self.everywhere else None
        regions = [(network, self.everywhere) for network in collapse_addresses(internal)]
        for network, enabled in reversed(self.networks):
            regions = [part for region in regions for part in _carved(*region, network, enabled)]
        if all(enabled for _, enabled in regions) and (regions or self.everywhere):
            return ()
        return tuple(collapse_addresses(network for network, enabled in regions if enabled)) or None


def _narrowest_first(each: tuple[IPv4Network, bool]) -> tuple[int, IPv4Network]:
    return -each[0].prefixlen, each[0]


def _carved(
    region: IPv4Network, before: bool, network: IPv4Network, enabled: bool
) -> list[tuple[IPv4Network, bool]]:
    """The parts of a region after `network`, which covers it wholly, in part or not, is set to `enabled`."""
    if region.subnet_of(network):
        return [(region, enabled)]
    if network.subnet_of(region):
        return [(network, enabled), *((other, before) for other in region.address_exclude(network))]
    return [(region, before)]
