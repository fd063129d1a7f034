"""What is outside: the uplinks with their addresses, and what lies by other interfaces.

Nothing is stored between two readings. A reading is good until links, addresses or nexthop objects change, or
a route that matters here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Protocol

from nfmasq.machine.picture import Changes
from nfmasq.machine.ranges import blocks, joined
from nfmasq.machine.roads import DEFAULT_LIKE, Roads, Seen
from nfmasq.machine.routes import Routes, bounds
from nfmasq.machine.rtnetlink import Way
from nfmasq.machine.sources import Choice, Selection
from nfmasq.machine.uplinks import Outside, Room, read_outside, within_room

_TABLE_MAIN = 254
_DEFAULT_ROUTE = 0
"""The key of 0.0.0.0/0 in the mirror's routes."""
_LOOPBACK = "lo"


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
class Edge:
    """What is outside. own: the router's addresses there, ascending. elsewhere, problems, warnings: as in
    Surroundings; problems by whether they come before or after those of what is inside."""

    outsides: tuple[Outside, ...]
    own: tuple[int, ...]
    elsewhere: tuple[IPv4Network, ...]
    problems: tuple[tuple[str, ...], tuple[str, ...]]
    warnings: tuple[str, ...]
    roads: Roads
    choices: tuple[tuple[Selection, Choice], ...]

    def stands(self, changes: Changes) -> bool:
        """Whether it is still the same after these changes. In doubt: no.

        A route changes nothing if it leaves by internal interfaces, or by uplinks with their usual addresses
        and lies in no network that has another address.
        """
        if changes.anew or changes.links or changes.addresses or changes.nexthops:
            return False
        return not any(self._matters(key, way) for key, way in changes.routes)

    def _matters(self, key: int, way: Way) -> bool:
        interfaces = self.roads.interfaces(way)
        if not interfaces:
            return False
        first, last = bounds(key)
        return (
            key & 63 <= DEFAULT_LIKE
            or not interfaces <= self.roads.internal | self.roads.uplinks
            or any(
                choice.watches(first, last)
                or selection.source(way, self.roads.hops(way)) not in (0, choice.usual)
                for selection, choice in self.choices
                if selection.uplink in interfaces
            )
        )


def read_edge(wanted: Wanted, seen: Seen, room: Room) -> Edge:
    """What is outside now."""
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
    own = {int(address) for outside, _, _ in read for address in (*outside.addresses, *outside.pooled)}
    late: list[str] = []
    elsewhere = _elsewhere(seen.routes, roads, room, late)
    return Edge(
        outsides,
        tuple(sorted(own)),
        elsewhere,
        ((*problems, *crowded), tuple(late)),
        tuple(map(_about_unnamed, unnamed)),
        roads,
        tuple((selection, choice) for _, selection, choice in read if selection and choice),
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
