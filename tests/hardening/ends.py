"""Two hosts without a stack, one on each side of the lab's router: nothing answers but what a test sends.

What is stored: a packet socket on client1's cable and one on server1's, and the external port of a flow of
markers. The hosts' addresses are nobody's: the router is told their hardware addresses, and the kernels of
client1 and server1 drop what comes for them. A marker is sent behind each group of packets, so that when it
has passed all before it has been dealt with.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Self

from support.packets import read, udp

from nfmasq.lab.topology import EXTERNAL, Topology
from nfmasq.lab.wire import Wire, hardware_address

CLIENT = IPv4Address("192.168.1.50")
OTHER_CLIENT = IPv4Address("192.168.1.60")
SERVER = IPv4Address("203.0.113.50")
MARKED, MARKER_PORT = 2999, 9
MARK = b"what was sent before this has passed"


class Ends:
    """A context manager; `out` and `into` send packets as they are and tell what came of them."""

    def __init__(self, net: Topology) -> None:
        self._lan = Wire(net.client1, "eth0", (net.router, "lan0"))
        self._wan = Wire(net.server1, "eth0", (net.router, "wan0"))
        self._router = net.router
        self._hardware = {
            CLIENT: ("lan0", hardware_address(net.client1, "eth0")),
            OTHER_CLIENT: ("lan0", hardware_address(net.client1, "eth0")),
            SERVER: ("wan0", hardware_address(net.server1, "eth0")),
        }
        self._left: list[bytes] = []
        self._marker_port = 0
        self.meet()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lan.close()
        self._wan.close()

    def meet(self, *others: IPv4Address) -> None:
        """Tell the router the hosts' hardware addresses again, and that `others` are at CLIENT's."""
        self._hardware.update(dict.fromkeys(others, self._hardware[CLIENT]))
        for host, (name, hardware) in self._hardware.items():
            self._router.ip(f"neighbour replace {host} dev {name} lladdr {hardware.hex(':')}")

    def out(self, packets: Iterable[bytes]) -> list[bytes]:
        """Send these from the LAN; return what arrived at SERVER."""
        list(self._wan.seen())
        for packet in packets:
            self._lan.send_ip(packet)
        self._lan.send_ip(udp(CLIENT, MARKED, SERVER, MARKER_PORT, MARK))
        self._left = _until_marked(self._wan, SERVER)
        passed = [packet for packet in self._left if _is_for(packet, SERVER)]
        self._marker_port = read(passed.pop()).source_port
        return passed

    def left(self) -> list[bytes]:
        """All that arrived on SERVER's cable during the last `out`, whomever it was for."""
        return self._left

    def into(self, packets: Iterable[bytes], host: IPv4Address = CLIENT) -> list[bytes]:
        """Send these from outside; return what arrived at `host`."""
        return [packet for packet in self._sent_in(packets) if _is_for(packet, host)]

    def refused(self, packets: Iterable[bytes]) -> list[bytes]:
        """Send these from the LAN; return what the router answers to CLIENT."""
        list(self._lan.seen())
        self.out(packets)
        return [packet for packet in self._sent_in([], fresh=False) if _is_for(packet, CLIENT)]

    def turned(self, packets: Iterable[bytes]) -> list[bytes]:
        """Send these from the LAN; return what came back to it, from hosts or the router."""
        list(self._lan.seen())
        self.out(packets)
        return [packet for packet in self._sent_in([], fresh=False) if not packet.endswith(MARK)]

    def answered(self, packets: Iterable[bytes]) -> list[bytes]:
        """Send these from outside; return what the router answers to SERVER."""
        list(self._wan.seen())
        self._sent_in(packets)
        self._lan.send_ip(udp(CLIENT, MARKED, SERVER, MARKER_PORT, MARK))
        return [packet for packet in _until_marked(self._wan, SERVER)[:-1] if _is_for(packet, SERVER)]

    def _sent_in(self, packets: Iterable[bytes], fresh: bool = True) -> list[bytes]:
        if not self._marker_port:
            self.out([])
        if fresh:
            list(self._lan.seen())
        for packet in packets:
            self._wan.send_ip(packet)
        self._wan.send_ip(udp(SERVER, MARKER_PORT, EXTERNAL, self._marker_port, MARK))
        return _until_marked(self._lan, CLIENT)[:-1]


def _until_marked(wire: Wire, host: IPv4Address) -> list[bytes]:
    """All that passed up to a marker for `host`, included."""
    passed: list[bytes] = []

    def marks(packet: bytes) -> bool:
        passed.append(packet)
        return packet.endswith(MARK) and _is_for(packet, host)

    wire.expect(marks)
    return passed


def _is_for(packet: bytes, host: IPv4Address) -> bool:
    return packet[16:20] == host.packed
