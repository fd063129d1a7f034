"""The machine's IPv4 routes, kept so that a change and a question about one network are cheap.

What is stored: for each network its ways, in the kernel's order; for each way its networks; the networks in
ascending order. The three always agree. Only the mirror writes here; a new dump replaces everything.

A network is an int: its first address << 6 | its prefix length. So a network comes before the networks in it.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Sequence

from nfmasq.machine.rtnetlink import APPEND, MAIN, REPLACE, Way

_FEW = 64
"""With more changes than this, sorting is cheaper than inserting each."""


def network_key(first: int, length: int) -> int:
    """The int that stands for a network."""
    return first << 6 | length


def bounds(key: int) -> tuple[int, int]:
    """The first and the last address of a network."""
    first = key >> 6
    return first, first | (0xFFFFFFFF >> (key & 63))


class Routes:
    """ways: for each network its ways. networks_of: for each way its networks."""

    def __init__(self, dumped: Iterable[tuple[int, Way]] = ()) -> None:
        self.ways: dict[int, tuple[Way, ...]] = {}
        self.networks_of: dict[Way, set[int]] = {}
        self._alone: dict[Way, tuple[Way, ...]] = {}
        self._touched: set[int] = set()
        for key, way in dumped:
            there = self.ways.get(key)
            if there is None:
                self.ways[key] = self._single(way)
            elif way not in there:
                self.ways[key] = (*there, way)
            self._own(way).add(key)
        self._order: list[int] = sorted(self.ways)

    def __len__(self) -> int:
        return len(self.ways)

    def add(self, key: int, way: Way, flags: int = APPEND) -> Way | None:
        """Add a route as the kernel did by NLM_F_REPLACE, NLM_F_APPEND or neither (before its equals).

        Returns the way it took the place of, if there was another.
        """
        there = self.ways.get(key, ())
        if way in there:
            return None
        equals = [each for each in there if _rank(each) == _rank(way)]
        self._own(way).add(key)
        if not equals:
            self._set(key, (*there, way) if there else self._single(way))
            return None
        at = there.index(equals[0])
        if flags & REPLACE:
            self._set(key, (*there[:at], way, *there[at + 1 :]))
            self._disown(equals[0], key)
            return equals[0]
        if flags & APPEND:
            at = there.index(equals[-1]) + 1
        self._set(key, (*there[:at], way, *there[at:]))
        return None

    def remove(self, key: int, way: Way) -> bool:
        """Remove a route; whether it was there."""
        there = self.ways.get(key, ())
        if way not in there:
            return False
        left = tuple(each for each in there if each is not way)
        if left:
            self._set(key, left)
        else:
            del self.ways[key]
            self._touched.add(key)
        self._disown(way, key)
        return True

    def remove_ways(self, ways: Collection[Way]) -> list[tuple[int, Way]]:
        """Remove every route that has one of these ways; those there were."""
        gone = [(key, way) for way in ways for key in self.networks_of.get(way, ())]
        for key, way in gone:
            self.remove(key, way)
        return gone

    def within(self, first: int, last: int) -> Sequence[int]:
        """The networks that begin from `first` to `last`, ascending."""
        order = self._sorted()
        return order[bisect_left(order, first << 6) : bisect_right(order, last << 6 | 63)]

    def _sorted(self) -> list[int]:
        if len(self._touched) > _FEW:
            self._order = sorted(self.ways)
        else:
            for key in self._touched:
                at = bisect_left(self._order, key)
                there = at < len(self._order) and self._order[at] == key
                if key in self.ways and not there:
                    insort(self._order, key)
                elif key not in self.ways and there:
                    del self._order[at]
        self._touched.clear()
        return self._order

    def _set(self, key: int, ways: tuple[Way, ...]) -> None:
        if key not in self.ways:
            self._touched.add(key)
        self.ways[key] = ways

    def _single(self, way: Way) -> tuple[Way, ...]:
        return self._alone.setdefault(way, (way,))

    def _own(self, way: Way) -> set[int]:
        networks = self.networks_of.get(way)
        if networks is None:
            networks = self.networks_of[way] = set()
        return networks

    def _disown(self, way: Way, key: int) -> None:
        networks = self.networks_of[way]
        networks.discard(key)
        if not networks:
            del self.networks_of[way]
            self._alone.pop(way, None)


def _rank(way: Way) -> tuple[int, int, int]:
    """Routes of one network that are equal in this are told apart by their order alone."""
    return way.table, way.tos, way.priority


def preference(way: Way) -> tuple[bool, int, int, int]:
    """Sorts the ways of one network: table main first, then by TOS, metric and table."""
    return way.table != MAIN, way.tos, way.priority, way.table
