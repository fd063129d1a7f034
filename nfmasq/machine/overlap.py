"""Addresses that are both inside and outside (RFC 4787 REQ-7), and what becomes of their packets.

nfmasq gives out no internal addresses, so it cannot avoid the overlap; it reports it. Networks that lie in
one another are no overlap: the kernel and nfmasq both go by the longest prefix.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from typing import NamedTuple, Protocol

from nfmasq.machine.surroundings import Surroundings


class Sides(Protocol):
    """Which interfaces are inside and outside, and the configured addresses: [nat] of a configuration."""

    @property
    def internal(self) -> Sequence[str]: ...
    @property
    def external(self) -> Sequence[str]: ...
    @property
    def addresses(self) -> Sequence[IPv4Network]: ...


class Overlap(NamedTuple):
    """why: what overlaps and what comes of it; mend: the remedy; one line each."""

    why: str
    mend: str

    def __str__(self) -> str:
        return f"{self.why}; {self.mend}"


def overlaps(sides: Sides, surroundings: Surroundings) -> Iterator[Overlap]:
    """The networks with a route by both sides, and the external addresses that lie inside."""
    inside, outside = ", ".join(sides.internal), ", ".join(sides.external)
    owners = {IPv4Network(address): each.name for each in surroundings.outsides for address in each.addresses}
    for network in surroundings.contested:
        if network in owners:
            address = network.network_address
            pooled = any(address in pool for pool in sides.addresses)
            yield Overlap(
                f"the external address {address} lies in a network behind {inside}: "
                "an internal host that has it is cut off",
                f"give {'nat.addresses' if pooled else owners[network]} another address, "
                f"or renumber the hosts behind {inside}",
            )
        else:
            yield Overlap(
                f"{network} is behind {inside} and on the side of {outside}: the route of the lowest metric "
                "decide, and hosts there on the other side are cut off",
                f"renumber one side, or take away the route to {network} by {outside}",
            )
