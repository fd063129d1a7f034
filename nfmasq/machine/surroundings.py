"""What surrounds the translation: uplinks with their addresses, and what is inside, by the kernel's routes.

All is made of what a mirror holds; the kernel is not asked. One rule decides: longest prefix. An address
is inside if the narrowest unicast route around it leaves by an internal interface. Routes of the same network
are weighed as the kernel does: table main first, then by TOS and metric. Default routes make nothing inside.
Routes that lead nowhere (blackhole, unreachable, prohibit, throw) and local routes decide nothing.

An interface that is away, or more than there is room for, is a line in `problems`; everything else goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from itertools import islice

from nfmasq.machine.edge import Edge, Wanted, read_edge
from nfmasq.machine.picture import Changes
from nfmasq.machine.roads import Seen
from nfmasq.machine.sides import Sides
from nfmasq.machine.uplinks import Outside, Room

_NAMED = 3
"""So many networks are named in a warning."""
_MANY_ROUTES = 2000
"""With more changes than this everything is derived anew."""


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
    """Surroundings, and what they were made of. A later one takes over what it uses of an earlier one."""

    surroundings: Surroundings
    _wanted: Wanted
    _room: Room
    _edge: Edge
    _sides: Sides

    def after(self, seen: Seen, changes: Changes) -> "Derived":
        """The surroundings after these changes: this very object if they are the same.

        What costs much is derived for what changed alone. A failure leaves this object useless: derive anew.
        """
        if not changes:
            return self
        if changes.anew or len(changes.routes) > _MANY_ROUTES:
            return derive(self._wanted, seen, self._room)
        edge = self._edge
        if not edge.stands(changes):
            edge = read_edge(self._wanted, seen, self._room)
            if not edge.roads.lead_as(self._edge.roads, seen.routes):
                return derive(self._wanted, seen, self._room)
            self._sides.set_roads(edge.roads)
            if edge.own != self._edge.own:
                self._sides.set_own(edge.own)
        self._sides.update(seen.routes, (key for key, _ in changes.routes))
        now = _surroundings(edge, self._sides, self._room)
        if edge is self._edge and now == self.surroundings:
            return self
        return replace(self, _edge=edge, surroundings=self.surroundings if now == self.surroundings else now)


def derive(wanted: Wanted, seen: Seen, room: Room = Room()) -> Derived:  # noqa: B008  # frozen
    """The surroundings as they are now. Never raises for the machine's state."""
    edge = read_edge(wanted, seen, room)
    sides = Sides(seen.routes, edge.roads, wanted.translate, edge.own, room.internal_networks)
    return Derived(_surroundings(edge, sides, room), wanted, room, edge, sides)


def _surroundings(edge: Edge, sides: Sides, room: Room) -> Surroundings:
    early, late = edge.problems
    translated, untranslated = (side.networks(edge.own) for side in (sides.translated, sides.untranslated))
    crowded = [
        *(["internal networks"] if sides.translated.is_crowded else []),
        *(["inside networks that are not translated"] if sides.untranslated.is_crowded else []),
    ]
    problems = [
        f"too many {what}, there is room for {room.internal_networks}: they are collapsed into networks that "
        "cover them"
        for what in crowded
    ]
    contested = (*islice(sides.contested, room.internal_networks), *sides.own_inside)
    return Surroundings(
        edge.outsides,
        translated,
        untranslated,
        edge.elsewhere,
        tuple(map(IPv4Network, contested)),
        (*early, *problems, *late),
        (*_about_public(sides.public.first(_NAMED + 1)), *edge.warnings),
    )


def _about_public(first: Sequence[IPv4Network]) -> list[str]:
    if not first:
        return []
    named = ", ".join(map(str, first[:_NAMED]))
    more = " and more" if len(first) > _NAMED else ""
    return [
        f"public networks behind an internal interface are not translated: "
        f"{named}{more}; say [[network]] translate = true or false for them"
    ]
