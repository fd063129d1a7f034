"""The scapy loop, `python -m nfmasq.bench.scapy_nat`: what a short script with NetfilterQueue and scapy does.

A callback a packet: scapy parses it, source or destination is replaced, scapy builds it again with its
checksums. It keeps a dictionary each way, endpoint-independent, and never forgets. It runs until killed.

What is stored: the two dictionaries; `translate` alone writes them.
"""

from ipaddress import IPv4Address

from netfilterqueue import NetfilterQueue, Packet
from scapy.layers.inet import IP, TCP, UDP

from nfmasq.bench.bed import EXTERNAL
from nfmasq.bench.router import FIRST_QUEUE, divert

PRE_ROUTING = 0

Endpoint = tuple[str, int]


class ScapyNat:
    """One external address, TCP and UDP; everything else is dropped."""

    def __init__(self, external: IPv4Address) -> None:
        self._external = str(external)
        self._next_port = {TCP: 1024, UDP: 1024}
        self._port_of: dict[tuple[object, Endpoint], int] = {}
        self._endpoint_of: dict[tuple[object, int], Endpoint] = {}

    def translate(self, packet: Packet) -> None:
        """Translate one packet of the queue, or drop it."""
        ip = IP(packet.get_payload())
        layer = ip.payload
        translate = self._inbound if packet.hook == PRE_ROUTING else self._outbound
        if not isinstance(layer, TCP | UDP) or not translate(ip, layer):
            packet.drop()
            return
        del ip.chksum, layer.chksum
        packet.set_payload(bytes(ip))
        packet.accept()

    def _outbound(self, ip: IP, layer: TCP | UDP) -> bool:
        protocol, internal = type(layer), (ip.src, layer.sport)
        port = self._port_of.get((protocol, internal))
        if port is None:
            port = self._next_port[protocol]
            if port > 32767:
                return False
            self._next_port[protocol] += 1
            self._port_of[protocol, internal] = port
            self._endpoint_of[protocol, port] = internal
        ip.src, layer.sport = self._external, port
        return True

    def _inbound(self, ip: IP, layer: TCP | UDP) -> bool:
        internal = self._endpoint_of.get((type(layer), layer.dport))
        if internal is None:
            return False
        ip.dst, layer.dport = internal
        return True


def main() -> None:
    """Serve one bed's router."""
    queue = NetfilterQueue()
    queue.bind(FIRST_QUEUE, ScapyNat(EXTERNAL).translate)
    divert(1)
    queue.run()


if __name__ == "__main__":
    main()
