"""The diversion: its plan, and the interface that each back end has."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Protocol

from nfmasq.core.policy import Forward
from nfmasq.diversion.claims import Claims, claimed_by

NFQUEUE_HIGHEST = 65535

HAIRPIN_MARK, HAIRPIN_MASK = 0x80000000, 0xFC000000
"""How the core marks a packet in its first pass, so that the second finds it; the other bits are its own."""

_INTERFACE = re.compile(r"[A-Za-z0-9_.@:-]{1,15}")


class DiversionUnavailable(Exception):
    """Rules cannot be laid here; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class DiversionPlan:
    """What to divert, and to where.

    internal, external: interface names; addresses: the external ones; networks: those behind the router;
    ports: first and last external port handed out; queues: number of the first netfilter queue, and how many;
    forwards: external endpoints that are not left to local sockets, see `claims`; hairpinning: queue also
    what internal hosts send to an external address, on its way in and on its way back to them; exempt:
    destinations that are not translated (RFC 6888 REQ-6).
    Raises DiversionUnavailable for a name or number no rule can bear.
    """

    internal: tuple[str, ...]
    external: str
    addresses: tuple[IPv4Address, ...]
    networks: tuple[IPv4Network, ...]
    ports: tuple[int, int]
    queues: tuple[int, int]
    forwards: tuple[Forward, ...] = ()
    hairpinning: bool = False
    exempt: tuple[IPv4Network, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.internal, self.external):
            if not _INTERFACE.fullmatch(name):
                raise DiversionUnavailable(
                    f"interface name {name!r} cannot stand in a rule; rename the interface"
                )
        first, count = self.queues
        if not (first >= 0 and count >= 1 and first + count - 1 <= NFQUEUE_HIGHEST):
            raise DiversionUnavailable(
                f"{count} queues from {first} on do not lie in 0-{NFQUEUE_HIGHEST}; change engine.first_queue"
            )

    @property
    def merged_networks(self) -> tuple[IPv4Network, ...]:
        """The internal networks with those inside others left out."""
        return tuple(collapse_addresses(self.networks))

    @property
    def merged_addresses(self) -> tuple[IPv4Network, ...]:
        """The external addresses as the fewest networks that hold them and no other address."""
        return tuple(collapse_addresses(IPv4Network(address) for address in self.addresses))

    @property
    def merged_exempt(self) -> tuple[IPv4Network, ...]:
        """What really lies outside of the exempt destinations, in the fewest networks.

        The internal networks and the external addresses do not: from outside they would be spoofed sources,
        and what is sent to an address that is on no interface would come back. While there is no external
        address nothing is exempt: the router would ask for its neighbour (ARP) by an internal address.
        """
        if not self.addresses:
            return ()
        left = list(collapse_addresses(self.exempt))
        for ours in (*self.merged_networks, *self.merged_addresses):
            left = [part for network in left for part in _without(network, ours)]
        return tuple(collapse_addresses(left))

    @property
    def claims(self) -> Claims:
        """What the forwards take before, and after, the router's own sockets."""
        return claimed_by(self.forwards)


class Diversion(Protocol):
    """One way to send packets to our queues. An object remembers what it installed, to tell if it changed."""

    name: str

    def install(self, plan: DiversionPlan) -> None:
        """Lay the rules of `plan` in place of any of ours. Raises DiversionUnavailable with the reason."""

    def remove(self) -> None:
        """Take all rules of ours out, an earlier process's too; harmless when there are none."""

    def present(self) -> bool:
        """Are the rules this object installed there, whole and unchanged?"""


class NoDiversion:
    """For `diversion = "none"`: the rules are the administrator's own."""

    name = "none"

    def install(self, plan: DiversionPlan) -> None:
        """Do nothing."""

    def remove(self) -> None:
        """Do nothing."""

    def present(self) -> bool:
        """Nothing of ours can be missing."""
        return True


def _without(network: IPv4Network, hole: IPv4Network) -> Iterable[IPv4Network]:
    """The network but for what of it lies in the hole."""
    if network.subnet_of(hole):
        return ()
    return network.address_exclude(hole) if hole.subnet_of(network) else (network,)
