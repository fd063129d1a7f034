"""The diversion: its plan, and the interface that each back end has."""

import re
from dataclasses import dataclass, fields
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from nfmasq.core.policy import ALL_PORTS, Forward
from nfmasq.diversion.claims import Claims, Span, claimed_by, merge
from nfmasq.diversion.covering import all_without, collapsed, cover

NFQUEUE_HIGHEST = 65535

DEFAULT_MARK = 0x80000000
"""The bit by which a hairpinned packet is known in its second pass, if the configuration names no other."""

_INTERFACE = re.compile(r"[A-Za-z0-9_.@:-]{1,15}")

NOT_PUBLIC = tuple(
    map(
        IPv4Network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
            "100.64.0.0/10",  # RFC 6598
            "169.254.0.0/16",  # RFC 3927
            *("224.0.0.0/4", "255.255.255.255/32"),  # multicast and broadcast: no router passes them on
        ),
    )
)
"""Destinations that lie on no public network."""


class DiversionUnavailable(Exception):
    """Rules cannot be laid here; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class External:
    """An external interface and its addresses: none while it is away or has none yet."""

    name: str
    addresses: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True)
class DiversionPlan:
    """What to divert, and to where.

    internal: interface names; externals: the external interfaces; networks: those behind the router whose
    hosts are translated; ports: all external ports handed out, as spans; queues: number of the first
    netfilter queue, and how many; untranslated: networks behind the router that are let by as they are;
    elsewhere: networks with a route by an interface that is neither internal nor external; unguarded:
    interfaces the guard leaves alone; forwards: external endpoints that are not left to local sockets, see
    `claims`; hairpinning: queue also what internal hosts send to an external address, on its way in and on
    its way back to them; mark: the bit that tells the two apart; exempt: destinations that are not translated
    (RFC 6888 REQ-6); others_lead: rules of others lead packets inside (DNAT), and conntrack translates the
    answers: they are let by. The default host gets what these rules left.
    Raises DiversionUnavailable for a name or number no rule can bear.
    """

    internal: tuple[str, ...]
    externals: tuple[External, ...]
    networks: tuple[IPv4Network, ...]
    ports: tuple[Span, ...]
    queues: tuple[int, int]
    untranslated: tuple[IPv4Network, ...] = ()
    elsewhere: tuple[IPv4Network, ...] = ()
    unguarded: tuple[str, ...] = ()
    forwards: tuple[Forward, ...] = ()
    hairpinning: bool = False
    mark: int = DEFAULT_MARK
    exempt: tuple[IPv4Network, ...] = ()
    others_lead: bool = False

    def __post_init__(self) -> None:
        for name in (*self.internal, *self.outside, *self.unguarded):
            if not _INTERFACE.fullmatch(name):
                raise DiversionUnavailable(
                    f"interface name {name!r} cannot stand in a rule; rename the interface"
                )
        first, count = self.queues
        if not (first >= 0 and count >= 1 and first + count - 1 <= NFQUEUE_HIGHEST):
            raise DiversionUnavailable(
                f"{count} queues from {first} on do not lie in 0-{NFQUEUE_HIGHEST}; change engine.first_queue"
            )
        if not (0 < self.mark < 1 << 32 and self.mark.bit_count() == 1):
            raise DiversionUnavailable(f"the mark {self.mark:#x} is not one bit of 32; change nat.mark")

    @property
    def outside(self) -> tuple[str, ...]:
        """The names of the external interfaces."""
        return tuple(external.name for external in self.externals)

    @property
    def sides(self) -> tuple[str, ...]:
        """The interfaces by which packets for an external address come in to be diverted."""
        return (*self.internal, *self.outside) if self.hairpinning else self.outside

    def differs_by_networks_alone(self, other: "DiversionPlan") -> bool:
        """Whether nothing but networks behind the router is other, of a plan without exempt destinations.

        The core knows the networks itself, and internal interfaces are diverted whole. So rules of the other
        plan translate as these do, and let nothing out that these stop by an external interface: each network
        that they leave untranslated is so here too.
        """
        return (
            not self.exempt
            and set(other.untranslated) <= set(self.untranslated)
            and all(
                getattr(self, field.name) == getattr(other, field.name)
                for field in fields(self)
                if field.name not in {"networks", "untranslated", "elsewhere"}
            )
        )

    @cached_property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """All external addresses, each once."""
        every = (address for external in self.externals for address in external.addresses)
        return tuple(dict.fromkeys(every))

    @cached_property
    def merged_ports(self) -> tuple[Span, ...]:
        """The ports in the fewest spans."""
        return merge(self.ports)

    def late_ports(self, protocol: str) -> tuple[Span, ...]:
        """The ports of "tcp" or "udp" that the second look takes: those handed out, and those of forwards.

        The default host has every port; what has a whole address is taken by the address.
        """
        claims = self.claims
        if protocol in claims.default_host:
            return ((1, 65535),)
        forwarded = [spans for _, name, spans in claims.at if name == protocol]
        forwarded += [spans for name, spans in claims.everywhere if name == protocol]
        return merge([*self.merged_ports, *(span for spans in forwarded for span in spans)])

    @property
    def untaken_queue(self) -> int | None:
        """The queue of what the rules of others left, where the default host comes after them; else None.

        It is the second after those of the plan.
        """
        waits = any(each.ports == ALL_PORTS and each.external is None for each in self.forwards)
        return sum(self.queues) + 1 if waits and self.others_lead else None

    @cached_property
    def merged_addresses(self) -> tuple[IPv4Network, ...]:
        """The external addresses as the fewest networks that hold them and no other address."""
        return collapsed(IPv4Network(address) for address in self.addresses)

    @cached_property
    def merged_networks(self) -> tuple[IPv4Network, ...]:
        """The translated networks with those inside others left out."""
        return collapsed(self.networks)

    @cached_property
    def merged_untranslated(self) -> tuple[IPv4Network, ...]:
        """What is really let by: nothing of the translated networks nor of the external addresses."""
        return all_without(self.untranslated, (*self.merged_networks, *self.merged_addresses))

    @cached_property
    def merged_elsewhere(self) -> tuple[IPv4Network, ...]:
        """The public part of what lies elsewhere; to the rest internal hosts may go anyway."""
        return all_without(self.elsewhere, NOT_PUBLIC)

    @cached_property
    def merged_exempt(self) -> tuple[IPv4Network, ...]:
        """What really lies outside of the exempt destinations, in the fewest networks.

        The networks behind the router and the external addresses do not: from outside they would be spoofed
        sources, and what is sent to an address that is on no interface would come back. While there is no
        external address nothing is exempt: the router would ask for its neighbour (ARP) by an internal one.
        """
        if not self.addresses:
            return ()
        behind = (*self.networks, *self.untranslated)
        return all_without(self.exempt, (*behind, *self.merged_addresses))

    @cached_property
    def few_networks(self) -> tuple[IPv4Network, ...]:
        """The translated networks as a list of rules holds them: few, and perhaps more than they are."""
        spare = (*self.merged_addresses, *self.untranslated, *self.elsewhere, *self.exempt)
        return cover(self.merged_networks, spare)

    @cached_property
    def claims(self) -> Claims:
        """What the forwards take before, and after, the router's own sockets."""
        return claimed_by(self.forwards)


class Diversion(Protocol):
    """One way to send packets to our queues. An object remembers what it installed, to tell if it changed.

    stands_in: the tables of the kernel that its rules are in, such as "ip raw".
    """

    name: str

    @property
    def stands_in(self) -> frozenset[str]: ...

    def install(self, plan: DiversionPlan) -> None:
        """Lay the rules of `plan` in place of any of ours. Raises DiversionUnavailable with the reason."""

    def remove(self) -> None:
        """Take all rules of ours out, an earlier process's too; harmless when there are none."""

    def present(self) -> bool:
        """Are the rules this object installed there, whole and unchanged?"""


class NoDiversion:
    """For `diversion = "none"`: the rules are the administrator's own."""

    name = "none"
    stands_in: frozenset[str] = frozenset()

    def install(self, plan: DiversionPlan) -> None:
        """Do nothing."""

    def remove(self) -> None:
        """Do nothing."""

    def present(self) -> bool:
        """Nothing of ours can be missing."""
        return True
