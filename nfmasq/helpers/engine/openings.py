"""Handshakes under way: any host can begin as many as it likes, so they have a bounded room of their own.

What is stored: the sessions whose handshake is under way, by the host that began each, and the hosts by how
many they have. Who writes: `Sessions`, under the engine's lock. What ends an entry: the handshake, the
session, or another handshake that needs the room. Then the newest of the host that has most gives way.
"""

from ipaddress import IPv4Address

from nfmasq.helpers.engine.interfaces import Name

MOST_OPENINGS = 4096
"""Handshakes under way, of all helpers."""


class Openings:
    """All of them."""

    def __init__(self) -> None:
        self._host_of: dict[Name, IPv4Address] = {}
        self._by_host: dict[IPv4Address, dict[Name, None]] = {}
        """Names of a host, the oldest first."""
        self._hosts: list[dict[IPv4Address, None]] = [{}]
        """Hosts by how many they have, which is the index."""

    def __len__(self) -> int:
        return len(self._host_of)

    def begin(self, name: Name, host: IPv4Address) -> Name | None:
        """Store a handshake that a host began; the session that gives way to it, or None."""
        giving_way = None
        if len(self._host_of) >= MOST_OPENINGS:
            giving_way = self._newest_of_greediest()
            self.end(giving_way)
        self._host_of[name] = host
        names = self._by_host.setdefault(host, {})
        self._rank(host, len(names), len(names) + 1)
        names[name] = None
        return giving_way

    def end(self, name: Name) -> None:
        """Forget a handshake. Harmless when it is not known."""
        host = self._host_of.pop(name, None)
        if host is None:
            return
        names = self._by_host[host]
        self._rank(host, len(names), len(names) - 1)
        del names[name]
        if not names:
            del self._by_host[host]

    def _newest_of_greediest(self) -> Name:
        """Of hosts with equally many, the one that has had so many for longest."""
        return next(reversed(self._by_host[next(iter(self._hosts[-1]))]))

    def _rank(self, host: IPv4Address, before: int, after: int) -> None:
        if after == len(self._hosts):
            self._hosts.append({})
        self._hosts[before].pop(host, None)
        if after:
            self._hosts[after][host] = None
        while len(self._hosts) > 1 and not self._hosts[-1]:
            self._hosts.pop()
