"""What really went over a cable, checksums and all, seen from its far end."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import CHECK_AT, TCP, UDP, l4_at, put, summed, transport_sum_is_right, word
from nfmasq.lab.packets import checksum as internet_checksum

__all__ = ["TCP", "UDP", "Seen", "Wire", "checksum_is_right", "with_destination", "with_source"]

_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_STATUS_CHECKSUM_NOT_READY = 8
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_ETHERTYPE_IPV4 = 0x0800
_OUTGOING = 4


def checksum_is_right(packet: bytes) -> bool:
    """Is the L4 checksum right (or a UDP sum left out)?"""
    if packet[9] == UDP and packet[l4_at(packet) :][6:8] == b"\0\0":
        return True
    return transport_sum_is_right(packet)


def with_source(packet: bytes, source: str, checksum: str = "full") -> bytes:
    """The packet with another source and the given kind of L4 checksum: "full", "pseudo" or "zero"."""
    return _summed(packet[:12] + socket.inet_aton(source) + packet[16:], checksum)


def with_destination(packet: bytes, address: str, port: int) -> bytes:
    """The packet for another endpoint, its checksums right."""
    at = l4_at(packet) + 2
    changed = packet[:16] + socket.inet_aton(address) + packet[20:at] + struct.pack("!H", port)
    return _summed(changed + packet[at + 2 :], "full")


def _summed(packet: bytes, checksum: str) -> bytes:
    at, protocol = l4_at(packet), packet[9]
    header = put(packet[:at], 10, b"\0\0")
    segment = put(packet[at:], CHECK_AT[protocol], b"\0\0")
    if checksum != "zero":
        ends = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        segment = summed(*ends, protocol, segment, finished=checksum == "full")
    return put(header, 10, word(internet_checksum(header))) + segment


@dataclass(frozen=True)
class Seen:
    """One IPv4 packet off the wire. checksum_ready: False while the sum is left to the hardware."""

    packet: bytes
    checksum_ready: bool

    @property
    def source(self) -> str:
        return socket.inet_ntoa(self.packet[12:16])

    @property
    def protocol(self) -> int:
        return self.packet[9]

    @property
    def is_fragment(self) -> bool:
        return bool(struct.unpack_from("!H", self.packet, 6)[0] & 0x3FFF)


class Wire:
    """A capture of the IPv4 packets that arrive at one interface."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        self._socket: socket.socket = namespace.call(
            socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETHERTYPE_IPV4)
        )
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 24)
        self._socket.bind((interface, _ETHERTYPE_IPV4))
        self._socket.settimeout(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def next(self) -> Seen:
        """The next packet to arrive. Raises TimeoutError when none comes."""
        while True:
            data, ancillary, _, address = self._socket.recvmsg(1 << 17, 256)
            if address[2] == _OUTGOING:
                continue
            status = struct.unpack_from("=I", ancillary[0][2])[0]
            length = struct.unpack_from("!H", data, 2)[0]
            return Seen(data[:length], not status & _STATUS_CHECKSUM_NOT_READY)

    def until(self, last: Callable[[Seen], bool]) -> list[Seen]:
        """The packets up to the one that is `last`, included. Raises TimeoutError if it never comes."""
        seen = [self.next()]
        while not last(seen[-1]):
            seen.append(self.next())
        return seen
