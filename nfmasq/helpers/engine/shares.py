"""A room that hosts share, so that no host takes it from the others: handshakes, sessions, expectations.

A host's places are shared again by those who took them: the host itself, and callers from outside. So no
caller of an internal server takes them from its other callers, nor do all callers together from other hosts.

What is stored: what has a place in the room, by its host and its caller, and both by how many places they
have. Who writes: the owner of the room, under the engine's lock. What ends an entry: its owner, or another
entry that needs the place. Then the newest entry gives way of the caller that has most, at the host that has
most.
"""

from ipaddress import IPv4Address

from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.kit.base import Session


def caller_of(session: Session) -> IPv4Address:
    """The host that began a session."""
    return session.internal[0] if session.inside_began else session.remote[0]


class Shares:
    """One room. most: how many places it has."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._places: dict[Name, tuple[int, int]] = {}
        self._hosts = _Groups()
        self._callers: dict[int, _Groups] = {}
        """The entries of each host that has callers from outside."""

    def __len__(self) -> int:
        return len(self._places)

    def has_room(self, more: int = 1) -> bool:
        """Are so many places free?"""
        return len(self._places) + more <= self.most

    def count(self, host: IPv4Address) -> int:
        """How many places a host has."""
        return self._hosts.size(int(host))

    def begin(self, name: Name, host: IPv4Address, caller: IPv4Address) -> None:
        """Give a host's entry a place. The owner has made room for it."""
        inner, begun_by = int(host), int(caller)
        self._places[name] = inner, begun_by
        if begun_by != inner and inner not in self._callers:
            own = self._callers[inner] = _Groups()
            for each in self._hosts.members(inner):
                own.add(inner, each)
        self._hosts.add(inner, name)
        if self._callers and inner in self._callers:
            self._callers[inner].add(begun_by, name)

    def end(self, name: Name) -> None:
        """Forget an entry. Harmless when it is not known."""
        host, caller = self._places.pop(name, (None, None))
        if host is None or caller is None:
            return
        self._hosts.remove(host, name)
        if self._callers and host in self._callers:
            self._callers[host].remove(caller, name)
            if not self._hosts.size(host):
                del self._callers[host]

    def greediest(self) -> IPv4Address:
        """The host that has most places; of several, the one that has had so many for longest."""
        return IPv4Address(self._hosts.largest())

    def is_greedy(self, host: IPv4Address, caller: IPv4Address) -> bool:
        """Has no caller of the host more places there than this one?"""
        callers = self._callers.get(int(host))
        if callers is None:
            return caller == host
        return callers.size(int(caller)) >= callers.size(callers.largest())

    def end_newest_of(self, host: IPv4Address) -> Name:
        """Forget the newest entry of the caller that has most places of a host, and return it."""
        callers = self._callers.get(int(host))
        newest = self._hosts.newest(int(host)) if callers is None else callers.newest(callers.largest())
        self.end(newest)
        return newest

    def end_one(self) -> Name:
        """Forget an entry of the host that has most, and return it. There must be one."""
        return self.end_newest_of(self.greediest())


class _Groups:
    """Entries in groups; the largest group is found without a search.

    Groups are addresses as numbers: those are compared and looked up faster, some ten times an entry.
    """

    __slots__ = ("_by_size", "_groups")

    def __init__(self) -> None:
        self._groups: dict[int, dict[Name, None]] = {}
        """Names of each group, the oldest first."""
        self._by_size: list[dict[int, None]] = [{}]
        """Groups by their size, which is the index."""

    def size(self, group: int) -> int:
        return len(self._groups.get(group, ()))

    def members(self, group: int) -> list[Name]:
        return list(self._groups.get(group, ()))

    def largest(self) -> int:
        return next(iter(self._by_size[-1]))

    def newest(self, group: int) -> Name:
        return next(reversed(self._groups[group]))

    def add(self, group: int, name: Name) -> None:
        names, by_size = self._groups.setdefault(group, {}), self._by_size
        size = len(names)
        names[name] = None
        by_size[size].pop(group, None)
        if size + 1 == len(by_size):
            by_size.append({group: None})
        else:
            by_size[size + 1][group] = None

    def remove(self, group: int, name: Name) -> None:
        names, by_size = self._groups[group], self._by_size
        size = len(names)
        del names[name]
        by_size[size].pop(group, None)
        if names:
            by_size[size - 1][group] = None
        else:
            del self._groups[group]
        while len(by_size) > 1 and not by_size[-1]:
            by_size.pop()
