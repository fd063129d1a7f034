"""What surrounds the translation: uplinks with their addresses, and what is inside, by the kernel's routes.

Pure functions over what a mirror holds; the kernel is not asked. One rule decides: longest prefix. An address
is inside if the narrowest unicast route around it leaves by an internal interface. Routes of the same network
are weighed as the kernel does: table main first, then by TOS and metric. Default routes make nothing inside.
Routes that lead nowhere (blackhole, unreachable, prohibit, throw) and local routes decide nothing.

An interface that is away, or more than there is room for, is a line in `problems`; everything else goes on.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Protocol

from nfmasq.machine.inside import Fate, fates, read_inside
from nfmasq.machine.picture import Changes
from nfmasq.machine.ranges import Block, Range, blocks, covering, joined, outermost, without
from nfmasq.machine.roads import DEFAULT_LIKE, Roads, Seen
from nfmasq.machine.routes import Routes, bounds
from nfmasq.machine.rtnetlink import Way
from nfmasq.machine.sources import Choice, Selection
from nfmasq.machine.uplinks import Outside, Room, read_outside, within_room

_TABLE_MAIN = 254
_DEFAULT_ROUTE = 0
"""The key of 0.0.0.0/0 in the mirror's routes."""
_LOOPBACK = "lo"

_NAMED = 3
"""So many networks are named in a problem; more are counted."""


class Wanted(Protocol):
    """The configuration's word: interfaces by name, pools by external interface, [[network]] translate."""

    @property
    def internal(self) -> Sequence[str]: ...
    @property
    def external(self) -> Sequence[str]: ...
    @property
    def pools(self) -> Mapping[str, Sequence[IPv4Network]]: ...
    @property
    def translate(self) -> Sequence[tuple[IPv4Network, bool]]: ...
    @property
    def unguarded(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Surroundings:
    """outsides: in the order of nat.external, then unnamed uplinks.

    internal: inside and translated, disjoint, ascending. untranslated: inside, but not translated. elsewhere:
    networks with a route of their own by an interface that is neither internal nor external and bears no
    default route. contested: networks that have a route by an internal and by an external interface, and
    addresses of the router that would be inside by the routes. problems, warnings: one line each.
    """

    outsides: tuple[Outside, ...]
    internal: tuple[IPv4Network, ...]
    untranslated: tuple[IPv4Network, ...]
    elsewhere: tuple[IPv4Network, ...]
    contested: tuple[IPv4Network, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Derived:
    """Surroundings, and by what they would change."""

    surroundings: Surroundings
    _roads: Roads
    _watched: tuple[Range, ...]
    _choices: tuple[tuple[Selection, Choice], ...]

    def stands(self, changes: Changes) -> bool:
        """Whether the surroundings are still the same after these changes. In doubt: no.

        A route changes nothing if it leaves by uplinks alone, with their usual addresses, and lies in no
        network that is inside or has another address.
        """
        if changes.anew or changes.links or changes.addresses or changes.nexthops:
            return False
        return not any(self._matters(key, way) for key, way in changes.routes)

    def _matters(self, key: int, way: Way) -> bool:
        interfaces = self._roads.interfaces(way)
        if not interfaces:
            return False
        first, last = bounds(key)
        at = bisect_right(self._watched, (first, 0xFFFFFFFF)) - 1
        return (
            key & 63 <= DEFAULT_LIKE
            or not interfaces <= self._roads.uplinks
            or (at >= 0 and last <= self._watched[at][1])
            or any(
                selection.source(way, self._roads.hops(way)) not in (0, choice.usual)
                for selection, choice in self._choices
            )
        )


def derive(wanted: Wanted, seen: Seen, room: Room = Room()) -> Derived:  # noqa: B008  # frozen
    """The surroundings as they are now. Never raises for the machine's state."""
    by_name = {link.name: link for link in seen.links.values()}
    internal = frozenset(by_name[name].interface for name in wanted.internal if name in by_name)
    unnamed = _unnamed_uplinks(wanted, seen, internal)
    external = (*wanted.external, *unnamed)
    outer = frozenset(by_name[name].interface for name in external if name in by_name)
    roads = Roads(seen, internal, outer - internal)
    problems = [
        f"{side} interface {name} does not exist: {consequence}"
        for side, names, consequence in (
            ("internal", wanted.internal, "no host is behind it"),
            ("external", wanted.external, "nothing leaves by it"),
        )
        for name in names
        if name not in by_name
    ]
    read = [
        read_outside(name, by_name.get(name), wanted.pools.get(name, ()), seen, roads) for name in external
    ]
    problems += [
        f"no external address on {outside.name}; waiting for one"
        for outside, _, _ in read
        if outside.index and not outside.pooled
    ]
    outsides, crowded = within_room([outside for outside, _, _ in read], room)
    inside = read_inside(seen.routes, roads)
    own = sorted(
        {int(address) for outside, _, _ in read for address in (*outside.addresses, *outside.pooled)}
    )
    translated, untranslated, public = _sides(without(inside.ranges, own), wanted)
    problems += crowded
    choices = tuple((selection, choice) for _, selection, choice in read if selection and choice)
    watched = sorted([*inside.watched, *(each for _, choice in choices for each in choice.watched)])
    return Derived(
        Surroundings(
            outsides,
            _networks("internal networks", translated, room, own, problems),
            _networks("inside networks that are not translated", untranslated, room, own, problems),
            _elsewhere(seen.routes, roads, room, problems),
            tuple(
                map(
                    IPv4Network,
                    (*inside.contested[: room.internal_networks], *_contested(own, inside.ranges)),
                )
            ),
            tuple(problems),
            (*_about_public(public), *map(_about_unnamed, unnamed)),
        ),
        roads,
        tuple(outermost(sorted(watched, key=lambda each: (each[0], -each[1])))),
        choices,
    )


def _unnamed_uplinks(wanted: Wanted, seen: Seen, internal: frozenset[int]) -> list[str]:
    """Interfaces by which table main has a default route, and that the configuration does not mention.

    Failover makes such an interface the way out without a word to nfmasq. Its packets would leave translated
    by nobody, or be dropped by the guard.
    """
    roads = Roads(seen, internal, frozenset())
    mentioned = {*wanted.internal, *wanted.external, *wanted.unguarded, _LOOPBACK}
    bearers = {
        interface
        for way in seen.routes.ways.get(_DEFAULT_ROUTE, ())
        if way.table == _TABLE_MAIN
        for interface in roads.interfaces(way)
    }
    links = (seen.links[interface] for interface in sorted(bearers))
    return [link.name for link in links if link.name not in mentioned and seen.addresses.get(link.interface)]


def _about_unnamed(name: str) -> str:
    return (
        f"{name} has a default route and is not in nat.external: it is served as an uplink; name it there, "
        "or in nat.unguarded to let packets leave by it as they are"
    )


def _sides(ranges: Iterable[Range], wanted: Wanted) -> tuple[list[Range], list[Range], list[Range]]:
    """The inside ranges that are translated, that are not, and that are not because they are public."""
    parts = list(fates(list(ranges), wanted.translate))
    return (
        joined(part[:2] for part in parts if part[2] is Fate.TRANSLATED),
        joined(part[:2] for part in parts if part[2] is not Fate.TRANSLATED),
        joined(part[:2] for part in parts if part[2] is Fate.PUBLIC),
    )


def _contested(own: Sequence[int], ranges: Sequence[Range]) -> list[Block]:
    """The router's own addresses outside that the routes have inside."""
    found = []
    for address in own:
        at = bisect_right(ranges, (address, 0xFFFFFFFF)) - 1
        if at >= 0 and address <= ranges[at][1]:
            found.append((address, 32))
    return found


def _about_public(public: Sequence[Range]) -> list[str]:
    if not public:
        return []
    networks = list(blocks(public))
    named = ", ".join(str(IPv4Network(block)) for block in networks[:_NAMED])
    more = f" and {len(networks) - _NAMED} more" if len(networks) > _NAMED else ""
    return [
        f"public networks behind an internal interface are not translated: "
        f"{named}{more}; say [[network]] translate = true or false for them"
    ]


def _networks(
    what: str, ranges: Sequence[Range], room: Room, own: Sequence[int], problems: list[str]
) -> tuple[IPv4Network, ...]:
    """The ranges as networks; covering ones if there is no room for all."""
    exact: list[Block] = list(blocks(ranges))
    kept = covering(exact, room.internal_networks, own)
    if len(kept) < len(exact):
        problems.append(
            f"{len(exact)} {what}, there is room for {room.internal_networks}: they are collapsed into "
            f"{len(kept)} networks that cover them"
        )
    return tuple(map(IPv4Network, kept))


def _elsewhere(routes: Routes, roads: Roads, room: Room, problems: list[str]) -> tuple[IPv4Network, ...]:
    """Too many are cut off, not covered: what is more would be let out by the guard."""
    others = {way: networks for way, networks in routes.networks_of.items() if roads.leads_elsewhere(way)}
    bearers = frozenset[int]().union(
        *(
            roads.interfaces(way)
            for way, networks in others.items()
            if any(key & 63 <= DEFAULT_LIKE for key in networks)
        )
    )
    plain = roads.internal | roads.uplinks | bearers
    keys = {key for way, networks in others.items() if not roads.interfaces(way) <= plain for key in networks}
    found = list(blocks(joined(bounds(key) for key in sorted(keys))))
    if len(found) > room.internal_networks:
        problems.append(
            f"{len(found)} networks by other interfaces, there is room for {room.internal_networks}: the "
            "narrowest are guarded as if they were outside"
        )
        found = sorted(sorted(found, key=lambda block: block[1])[: room.internal_networks])
    return tuple(map(IPv4Network, found))
