"""The networks of each side, by longest prefix: a changed route costs as much as its neighbourhood is large.

What is stored: the addresses in chunks of a /16. Routes of a /16 or wider are judged together, and make
ranges of whole chunks. A chunk is busy where something narrower counts: a route, an address of the router, or
the edge of a [[network]]. It is judged for itself. Only the methods named `update` and `set_…` write. Roads
that lead elsewhere and a new configuration end it all.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from itertools import chain
from typing import NamedTuple

from nfmasq.machine.inside import Decisions, Fate, fates, fates_of_everything
from nfmasq.machine.ranges import Block, Range, blocks, joined, nearest, outermost, without
from nfmasq.machine.roads import Roads
from nfmasq.machine.routes import Routes, bounds, network_key
from nfmasq.machine.side import CHUNK, Side

_REST = (1 << (32 - CHUNK)) - 1
_CHUNK_OF_KEY = 6 + 32 - CHUNK
_LENGTH = 63
"""The bits of a key that are its prefix length."""


class Judged(NamedTuple):
    """One chunk: the networks of each side; those with a route by both; addresses of the router inside."""

    translated: tuple[Block, ...] = ()
    untranslated: tuple[Block, ...] = ()
    public: tuple[Block, ...] = ()
    contested: tuple[Block, ...] = ()
    own: tuple[Block, ...] = ()


class Sides:
    """own: the router's addresses outside, ascending; they are not inside. room: most networks of a side."""

    def __init__(
        self,
        routes: Routes,
        roads: Roads,
        wanted: Iterable[tuple[IPv4Network, bool]],
        own: Sequence[int],
        room: int,
    ) -> None:
        self.translated, self.untranslated, self.public = Side(room), Side(room), Side(room)
        self._routes, self._roads = routes, roads
        self._decide = Decisions(roads)
        self._fates = fates_of_everything(wanted)
        self._own: Sequence[int] = own
        self._judged: dict[int, Judged] = {}
        self._odd: dict[int, Judged] = {}
        self._wide = sorted(key for key in routes.ways if 0 < key & _LENGTH <= CHUNK)
        self._leading: list[Range] = []
        self._ranges: list[Range] = []
        self._wide_contested: list[Block] = []
        self._judge_wide()
        leading = (key for way, keys in routes.networks_of.items() if roads.leads_inside(way) for key in keys)
        busy = {key >> _CHUNK_OF_KEY for key in leading if key & _LENGTH > CHUNK}
        self._judge(busy.union(*(self._busy_within(first, last) for first, last in self._ranges)))
        self._join_whole()

    @property
    def contested(self) -> Iterator[Block]:
        """Networks that have a route by both sides, ascending."""
        return iter(sorted(chain(self._wide_contested, *(each.contested for each in self._odd.values()))))

    @property
    def own_inside(self) -> list[Block]:
        """The router's own addresses outside that the routes have inside."""
        return sorted(chain(*(each.own for each in self._odd.values())))

    def update(self, routes: Routes, keys: Iterable[int]) -> None:
        """Judge anew what the routes of these networks may change; they came, went or are others."""
        self._routes = routes
        dirty: set[int] = set()
        wide = []
        for key in set(keys):
            if key & _LENGTH > CHUNK:
                if self._counts(key):
                    dirty.add(key >> _CHUNK_OF_KEY)
            elif key & _LENGTH:
                wide.append(key)
        self._remember_wide(wide)
        wide = [key for key in wide if self._counts_wide(key)]
        if wide:
            before = self._ranges
            self._judge_wide()
            for key in wide:
                first, last = bounds(key)
                dirty.update(index for index in self._judged if first <= index << (32 - CHUNK) <= last)
                if _meets(before, first, last) or _meets(self._ranges, first, last):
                    dirty |= self._busy_within(first, last)
        if self._judge(dirty) or wide:
            self._join_whole()

    def set_roads(self, roads: Roads) -> None:
        """Other roads that lead as those of before."""
        self._roads, self._decide = roads, Decisions(roads)

    def set_own(self, own: Sequence[int]) -> None:
        """The router has other addresses outside."""
        changed = {address >> (32 - CHUNK) for address in {*own} ^ {*self._own}}
        self._own = own
        if self._judge({index for index in changed if index in self._judged or self._is_whole(index)}):
            self._join_whole()

    def _counts(self, key: int) -> bool:
        """Whether a narrow route matters: its chunk is busy or inside, or it leads inside."""
        index = key >> _CHUNK_OF_KEY
        return (
            index in self._judged
            or self._is_whole(index)
            or any(map(self._roads.leads_inside, self._routes.ways.get(key, ())))
        )

    def _counts_wide(self, key: int) -> bool:
        """Whether a wide route matters: it leads inside, or meets one that does."""
        return _meets(self._leading, *bounds(key)) or any(
            map(self._roads.leads_inside, self._routes.ways.get(key, ()))
        )

    def _is_whole(self, index: int) -> bool:
        first = index << (32 - CHUNK)
        return _meets(self._ranges, first, first)

    def _remember_wide(self, keys: Iterable[int]) -> None:
        for key in keys:
            at = bisect_left(self._wide, key)
            there = at < len(self._wide) and self._wide[at] == key
            if key in self._routes.ways and not there:
                insort(self._wide, key)
            elif there and key not in self._routes.ways:
                del self._wide[at]

    def _judge_wide(self) -> None:
        """The ranges of whole chunks that are inside, were there no narrower routes."""
        ways = self._routes.ways
        decisions = {key: self._decide(ways[key]) for key in self._wide}
        leading = (key for key in self._wide if decisions[key].leads)
        self._leading = outermost(bounds(key) for key in leading)
        self._ranges = []
        for wide in self._leading:
            keys = self._wide[
                bisect_left(self._wide, wide[0] << 6) : bisect_right(self._wide, wide[1] << 6 | 63)
            ]
            nested = [
                (*bounds(key), decisions[key].inside)
                for key in keys
                if decisions[key].decided and bounds(key)[1] <= wide[1]
            ]
            self._ranges += [(first, last) for first, last, inside in nearest(nested) if inside]
        self._wide_contested = [(key >> 6, key & _LENGTH) for key in self._wide if decisions[key].contested]

    def _busy_within(self, first: int, last: int) -> set[int]:
        """The chunks of a range where something narrower than a chunk counts."""
        busy = {key >> _CHUNK_OF_KEY for key in self._routes.within(first, last) if key & _LENGTH > CHUNK}
        own = self._own[bisect_left(self._own, first) : bisect_right(self._own, last)]
        busy.update(address >> (32 - CHUNK) for address in own)
        edges = chain(*((part[0], part[1] + 1) for part in self._fates))
        busy.update(edge >> (32 - CHUNK) for edge in edges if first <= edge <= last and edge & _REST)
        return busy

    def _judge(self, indices: Iterable[int]) -> bool:
        """Judge these chunks; return whether what are whole chunks may be others."""
        other = False
        for index in indices:
            there = index in self._judged
            self._judged[index] = judged = self._judged_chunk(index)
            self._odd.pop(index, None)
            if judged.contested or judged.own:
                self._odd[index] = judged
            of_sides = judged[:3]
            for side, networks in zip(
                (self.translated, self.untranslated, self.public), of_sides, strict=True
            ):
                other |= side.put(index, networks, self._own_in(index))
            other |= not there
        return other

    def _judged_chunk(self, index: int) -> Judged:
        first = index << (32 - CHUNK)
        last = first | _REST
        around = self._around(first)
        nested, contested = [(first, last, around)], []
        for key in self._routes.within(first, last):
            if key & _LENGTH > CHUNK:
                decision = self._decide(self._routes.ways[key])
                if decision.decided:
                    nested.append((*bounds(key), decision.inside))
                if decision.contested:
                    contested.append((key >> 6, key & _LENGTH))
        inside = joined((start, end) for start, end, is_inside in nearest(nested) if is_inside)
        own = self._own_in(index)
        parts = list(fates(list(without(inside, own)), self._fates))
        return Judged(
            tuple(blocks(joined(part[:2] for part in parts if part[2] is Fate.TRANSLATED))),
            tuple(blocks(joined(part[:2] for part in parts if part[2] is not Fate.TRANSLATED))),
            tuple(blocks(joined(part[:2] for part in parts if part[2] is Fate.PUBLIC))),
            tuple(contested),
            tuple((address, 32) for address in own if _meets(inside, address, address)),
        )

    def _around(self, first: int) -> bool:
        """Whether a chunk is inside by the narrowest route around it."""
        for length in range(CHUNK, 0, -1):
            ways = self._routes.ways.get(network_key(first & -(1 << (32 - length)), length))
            if ways is not None:
                decision = self._decide(ways)
                if decision.decided:
                    return decision.inside
        return False

    def _own_in(self, index: int) -> Sequence[int]:
        first = index << (32 - CHUNK)
        return self._own[bisect_left(self._own, first) : bisect_right(self._own, first | _REST)]

    def _join_whole(self) -> None:
        """Tell each side its whole chunks that are not busy."""
        in_chunks = [(first >> (32 - CHUNK), last >> (32 - CHUNK)) for first, last in self._ranges]
        quiet = [
            (first << (32 - CHUNK), last << (32 - CHUNK) | _REST)
            for first, last in without(in_chunks, sorted(self._judged))
        ]
        parts = list(fates(quiet, self._fates))
        self.translated.set_quiet(part[:2] for part in parts if part[2] is Fate.TRANSLATED)
        self.untranslated.set_quiet(part[:2] for part in parts if part[2] is not Fate.TRANSLATED)
        self.public.set_quiet(part[:2] for part in parts if part[2] is Fate.PUBLIC)


def _meets(ranges: Sequence[Range], first: int, last: int) -> bool:
    """Whether ascending ranges have an address from `first` to `last`."""
    at = bisect_right(ranges, (last, 0xFFFFFFFF)) - 1
    return at >= 0 and ranges[at][1] >= first
