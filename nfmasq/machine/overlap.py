"""Addresses that are both inside and outside (RFC 4787 REQ-7), and what becomes of their packets.

nfmasq gives out no internal addresses, so it cannot avoid the overlap; it reports it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from nfmasq.machine.interfaces import Sides, Uplink


class Overlap(NamedTuple):
    """why: what overlaps and what comes of it; mend: the remedy; one line each."""

    why: str
    mend: str

    def __str__(self) -> str:
        return f"{self.why}; {self.mend}"


def overlaps(sides: Sides, uplink: Uplink) -> Iterator[Overlap]:
    """The external addresses, and the networks on the external interface's side, that are internal too."""
    inside, outside = ", ".join(sides.internal), sides.external
    for network in uplink.internal:
        for address in uplink.external:
            if address in network:
                where = "nat.addresses" if sides.addresses else outside
                yield Overlap(
                    f"the external address {address} lies in {network}, the network behind {inside}: "
                    "an internal host that has it is cut off",
                    f"give {where} another address, or renumber the hosts behind {inside}",
                )
        for other in uplink.outside:
            if other.overlaps(network):
                both = network if network.subnet_of(other) else other
                yield Overlap(
                    f"{both} is behind {inside} and on the side of {outside}: hosts there that have one of "
                    "these addresses are cut off (dropped as destination_internal, source_internal)",
                    f"renumber one side, or take away the route to {other} by {outside}",
                )
