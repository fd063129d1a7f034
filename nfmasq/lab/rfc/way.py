"""A way through nfmasq, as a check sees it: what goes in at one side and what comes out at the other.

There are two: `ground.Ground`, a router of the lab with the daemon on it, and `core.Core`, the compiled core
alone with a clock of its own. The parts are played by addresses behind which there is no kernel, so that
the check alone answers.
"""

from abc import ABC, abstractmethod
from ipaddress import IPv4Address
from itertools import count

from nfmasq.lab.packets import ACK, FIN, SYN, Endpoint, Seen, read, tcp, udp
from nfmasq.lab.rfc.not_met import NotMet

CLIENT = IPv4Address("192.168.1.51")
OTHER_CLIENT = IPv4Address("192.168.1.52")
EXTERNAL = IPv4Address("203.0.113.2")
SERVER = IPv4Address("203.0.113.51")
OTHER_SERVER = IPv4Address("198.51.100.52")
HOP = IPv4Address("203.0.113.53")
"""A router on the way to the servers, which has been sent no packet."""

_ports = count(20000, 2)


def port() -> int:
    """A port, always even, that no check has used before."""
    return next(_ports)


class Way(ABC):
    """How a packet crosses, and what is often asked of it."""

    @abstractmethod
    def out(self, packet: bytes) -> bytes | None:
        """A packet leaves; what reaches its destination outside, or None."""

    @abstractmethod
    def into(self, packet: bytes, to: IPv4Address = CLIENT) -> bytes | None:
        """A packet arrives from outside; what reaches this internal host, or None."""

    def sent(self, packet: bytes) -> Seen:
        """A packet that must be let out, as it arrives."""
        arrived = self.out(packet)
        if arrived is None:
            raise NotMet(f"not let out: {described(packet)}")
        return read(arrived)

    def received(self, packet: bytes, to: IPv4Address = CLIENT) -> Seen:
        """A packet that must be let in, as it arrives."""
        arrived = self.into(packet, to)
        if arrived is None:
            raise NotMet(f"not let in: {described(packet)}")
        return read(arrived)

    def mapped(self, client: Endpoint, server: Endpoint = (SERVER, 700)) -> Endpoint:
        """The external endpoint of a datagram from this client to this server."""
        return self.sent(udp(client, server)).source

    def lets_in(self, server: Endpoint, external: Endpoint, to: IPv4Address = CLIENT) -> bool:
        """Does a datagram from this server to this external endpoint reach the client?"""
        return self.into(udp(server, external), to) is not None

    def open(self, client: Endpoint, server: Endpoint = (SERVER, 80)) -> "Stream":
        """A TCP connection, opened by the client."""
        stream = Stream(self, client, server)
        stream.shake_hands()
        return stream


class Stream:
    """A TCP connection and its sequence numbers. `out_next`, `in_next`: those of each side's next byte."""

    def __init__(self, way: Way, client: Endpoint, server: Endpoint) -> None:
        self._way = way
        self.client, self.server = client, server
        self.external = (EXTERNAL, 0)
        self.out_next, self.in_next = 1000, 5000

    def shake_hands(self) -> None:
        """SYN, SYN and ACK, ACK."""
        self.external = self._way.sent(tcp(self.client, self.server, SYN, 1000)).source
        self._way.received(tcp(self.server, self.external, SYN | ACK, 5000, 1001), self.client[0])
        self.out_next, self.in_next = 1001, 5001
        self._way.sent(self.outward())

    def outward(self, flags: int = ACK, payload: bytes = b"") -> bytes:
        """A segment of the client's, next in sequence."""
        packet = tcp(self.client, self.server, flags, self.out_next, self.in_next, payload=payload)
        self.out_next += len(payload) + bool(flags & (SYN | FIN))
        return packet

    def inward(self, flags: int = ACK, payload: bytes = b"") -> bytes:
        """A segment of the server's, next in sequence."""
        packet = tcp(self.server, self.external, flags, self.in_next, self.out_next, payload=payload)
        self.in_next += len(payload) + bool(flags & (SYN | FIN))
        return packet

    def close(self) -> None:
        """Both sides end it."""
        self._way.sent(self.outward(FIN | ACK))
        self._way.received(self.inward(FIN | ACK), self.client[0])
        self._way.sent(self.outward())

    def works(self) -> bool:
        """Does data still pass, both ways?"""
        there = self._way.out(self.outward(payload=b"there"))
        back = self._way.into(self.inward(payload=b"back"), self.client[0])
        return there is not None and back is not None

    def in_flight(self) -> bytes:
        """A segment of the client's as it arrives outside, for an ICMP error to quote: not answered yet."""
        arrived = self._way.out(self.outward(payload=b"in flight"))
        if arrived is None:
            raise NotMet("data of an open connection is not let out")
        return arrived

    def lets_in(self) -> bool:
        """Does data of the server's still come in?"""
        return self._way.into(self.inward(payload=b"back"), self.client[0]) is not None


def described(packet: bytes) -> str:
    """A packet in a few words."""
    seen = read(packet)
    kind = f" type {seen.icmp[0]} code {seen.icmp[1]}" if seen.protocol == 1 else ""
    flags = f" flags {seen.flags:#04x}" if seen.protocol == 6 else ""
    source, destination = (f"{address}:{port}" for address, port in (seen.source, seen.destination))
    name = {1: "ICMP", 6: "TCP", 17: "UDP"}.get(seen.protocol, f"protocol {seen.protocol}")
    return f"{name}{kind}{flags} {source} → {destination}"
