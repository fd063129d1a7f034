"""A room that hosts share, so that no host takes it from the others: handshakes, sessions, expectations.

What is stored: what has a place in the room, by its host, and the hosts by how many places they have. Who
writes: the owner of the room, under the engine's lock. What ends an entry: its owner, or another entry that
needs the place. Then the newest of the host that has most gives way.
"""

from ipaddress import IPv4Address

from nfmasq.helpers.engine.interfaces import Name


class Shares:
    """One room. most: how many places it has."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._host_of: dict[Name, IPv4Address] = {}
        self._by_host: dict[IPv4Address, dict[Name, None]] = {}
        """Names of a host, the oldest first."""
        self._hosts: list[dict[IPv4Address, None]] = [{}]
        """Hosts by how many they have, which is the index."""

    def __len__(self) -> int:
        return len(self._host_of)

    def has_room(self, more: int = 1) -> bool:
        """Are so many places free?"""
        return len(self._host_of) + more <= self.most

    def begin(self, name: Name, host: IPv4Address) -> None:
        """Give a host's entry a place. The caller has made room for it."""
        self._host_of[name] = host
        names = self._by_host.setdefault(host, {})
        self._rank(host, len(names), len(names) + 1)
        names[name] = None

    def end(self, name: Name) -> None:
        """Forget an entry. Harmless when it is not known."""
        host = self._host_of.pop(name, None)
        if host is None:
            return
        names = self._by_host[host]
        self._rank(host, len(names), len(names) - 1)
        del names[name]
        if not names:
            del self._by_host[host]

    def end_one(self) -> Name:
        """Forget the newest entry of the greediest host, and return it. There must be one.

        Of hosts with equally many, the host gives way that has had so many for longest.
        """
        giving_way = next(reversed(self._by_host[next(iter(self._hosts[-1]))]))
        self.end(giving_way)
        return giving_way

    def _rank(self, host: IPv4Address, before: int, after: int) -> None:
        if after == len(self._hosts):
            self._hosts.append({})
        self._hosts[before].pop(host, None)
        if after:
            self._hosts[after][host] = None
        while len(self._hosts) > 1 and not self._hosts[-1]:
            self._hosts.pop()
