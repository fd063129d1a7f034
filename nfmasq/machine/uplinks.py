"""The external interfaces as they are: addresses, pools, and which address goes with which route."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from nfmasq.core.limits import (
    MOST_EXTERNAL_ADDRESSES,
    MOST_INTERNAL_NETWORKS,
    MOST_REALMS,
    MOST_SOURCES,
    MOST_UPLINKS,
)
from nfmasq.core.policy import Source
from nfmasq.machine.roads import Roads, Seen
from nfmasq.machine.rtnetlink import SCOPE_LINK, Address, Link
from nfmasq.machine.sources import Choice, Selection


@dataclass(frozen=True)
class Room:
    """The most of each that the core can hold."""

    uplinks: int = MOST_UPLINKS
    external_addresses: int = MOST_EXTERNAL_ADDRESSES
    sources: int = MOST_SOURCES
    internal_networks: int = MOST_INTERNAL_NETWORKS
    realms: int = MOST_REALMS


@dataclass(frozen=True)
class Outside:
    """An external interface. index, mtu 0: it is away.

    addresses: the router's own there, which a packet from outside may name. pooled: those handed out.
    sources: longest prefix first, the last one of 0.0.0.0/0; (): any of `pooled`.
    """

    name: str
    index: int
    mtu: int
    addresses: tuple[IPv4Address, ...]
    pooled: tuple[IPv4Address, ...]
    sources: tuple[Source, ...] = ()


def read_outside(
    name: str, link: Link | None, pool: Sequence[IPv4Network], seen: Seen, roads: Roads
) -> tuple[Outside, Selection | None, Choice | None]:
    """One external interface, and how its addresses follow routes: None with a pool or while it is away."""
    pooled = tuple(dict.fromkeys(address for network in pool for address in network))
    if link is None:
        return Outside(name, 0, 0, pooled, pooled), None, None
    here = _here(seen.addresses.get(link.interface, ()))
    if pool:
        return (
            Outside(name, link.interface, link.mtu, tuple(dict.fromkeys((*pooled, *here))), pooled),
            None,
            None,
        )
    selection = Selection(link.interface, seen.addresses, roads.internal - {link.interface})
    choice = selection.choose(seen.routes, roads.hops)
    return _by_route(Outside(name, link.interface, link.mtu, here, ()), choice), selection, choice


def _here(addresses: Sequence[Address]) -> tuple[IPv4Address, ...]:
    """An interface's addresses, secondary ones too; those of link scope only where there are no others."""
    wide = [address for address in addresses if address.scope < SCOPE_LINK]
    return tuple(dict.fromkeys(IPv4Address(address.local) for address in wide or addresses))


def _by_route(outside: Outside, choice: Choice) -> Outside:
    if not choice.usual:
        return outside
    sources = tuple(
        Source(IPv4Network((key >> 6, key & 63)), IPv4Address(address))
        for key, address in (*choice.others, (0, choice.usual))
    )
    pooled = tuple(dict.fromkeys(source.address for source in reversed(sources)))
    addresses = tuple(dict.fromkeys((*outside.addresses, *pooled)))
    return replace(outside, addresses=addresses, pooled=pooled, sources=sources)


def within_room(outsides: Sequence[Outside], room: Room) -> tuple[tuple[Outside, ...], list[str]]:
    """The uplinks without what is too much, and a line for each thing left out.

    Several uplinks may have one address, which takes room once. Where addresses go by route, each is a realm
    of the core; a pool is one.
    """
    kept: list[Outside] = []
    problems: list[str] = []
    used: set[IPv4Address] = set()
    addresses_left, sources_left, realms_left = room.external_addresses, room.sources, room.realms
    for outside in outsides[: room.uplinks]:
        sources = outside.sources[max(0, len(outside.sources) - sources_left) :]
        if len(sources) < len(outside.sources):
            problems.append(
                f"{outside.name}: {len(outside.sources)} networks have a source address by route, there is "
                f"room for {sources_left}: the narrowest appear as the networks around them"
            )
        sources_left -= len(sources)
        own = dict.fromkeys(each for each in (*outside.pooled, *outside.addresses) if each not in used)
        allowed = set(list(own)[: min(addresses_left, realms_left if sources else addresses_left)])
        if len(allowed) < len(own):
            problems.append(
                f"{outside.name}: {len(own)} addresses, there is room for {len(allowed)} "
                f"({room.external_addresses} of all uplinks together): the last ones are not used"
            )
        addresses_left -= len(allowed)
        realms_left -= max(1, len(allowed)) if sources else 1
        used |= allowed
        kept.append(
            replace(
                outside,
                addresses=tuple(each for each in outside.addresses if each in used),
                pooled=tuple(each for each in outside.pooled if each in used),
                sources=_allowed(sources, used),
            )
        )
    problems += [
        f"{outside.name}: there is room for {room.uplinks} external interfaces; it is not used"
        for outside in outsides[room.uplinks :]
    ]
    return tuple(kept), problems


def _allowed(sources: Sequence[Source], allowed: set[IPv4Address]) -> tuple[Source, ...]:
    """The sources whose address may be used, the last one of everything."""
    kept = tuple(source for source in sources if source.address in allowed)
    if not kept or kept[-1].network.prefixlen == 0:
        return kept
    return (*kept, Source(IPv4Network("0.0.0.0/0"), kept[-1].address))
