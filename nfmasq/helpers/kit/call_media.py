"""The media of one call: the ports that the inside announced, and the hosts that the other side named.

What is stored: both, the newest last. Who writes: each description of the call. What ends an entry: newer
ones, where there are more than MOST_CALL_PORTS or MOST_HOSTS; the others end with the call.

Until the other side names a host, media may come from anyone once. From then on they come from the hosts that
it named, and from the other end of the session. A peer behind a NAT of its own names an address that nobody
can reach. Either may be known first, ports or hosts. So each new one is admitted with all of the other kind.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Admitted, Found

MOST_CALL_PORTS = 32
MOST_HOSTS = 4

Port = tuple[str, int]


class CallMedia:
    """The media of one call. ports: transports and internal ports."""

    __slots__ = ("_hosts", "ports")

    def __init__(self) -> None:
        self.ports: dict[Port, None] = {}
        self._hosts: list[IPv4Address] = []

    @property
    def is_answered(self) -> bool:
        """Has the other side named a host?"""
        return bool(self._hosts)

    def note_ports(self, found: Iterable[Found], peer: IPv4Address) -> list[Admitted]:
        """Note what the inside announced: who may come there besides the peer, the session's other end."""
        described = [(each.transport, each.port + nth) for each in found for nth in range(each.consecutive)]
        for port in described:
            self.ports.pop(port, None)
            self.ports[port] = None
        while len(self.ports) > MOST_CALL_PORTS:
            del self.ports[next(iter(self.ports))]
        return _admitted(described, [host for host in self._hosts if host != peer])

    def note_hosts(self, hosts: Sequence[IPv4Address], peer: IPv4Address) -> list[Admitted]:
        """Note where the outside wants its media: who may come to the ports that are known.

        A host that has come may come again, from another port: music on hold has one of its own.
        """
        if not hosts:
            return []
        self._hosts = [*(host for host in self._hosts if host not in hosts), *dict.fromkeys(hosts)][
            -MOST_HOSTS:
        ]
        named = [host for host in dict.fromkeys(hosts) if host in self._hosts]
        return _admitted(self.ports, dict.fromkeys([*named, peer]))


def _admitted(ports: Iterable[Port], hosts: Iterable[IPv4Address]) -> list[Admitted]:
    return [Admitted(*port, host) for host in hosts for port in ports]
