"""Sends the refusals: ICMP errors and TCP RSTs about refused packets.

RFC 5508 REQ-8, RFC 5382 REQ-4 and RFC 6888 REQ-11 ask for the errors, RFC 9293 section 3.10.7.1 for the RSTs.
The core decides on receiver, message, time and rate; this module writes and sends the messages. A message
that cannot be sent is forgotten, as any packet may be lost.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Protocol

from nfmasq._fastpath import checksum
from nfmasq.core.reasons import Icmp
from nfmasq.core.rows import Refusal
from nfmasq.daemon.looks import Looks
from nfmasq.machine.raw_socket import RawSocket

LOOK_S = 1.0
"""How often to look for refusals that became due by time, for which no doorbell rings."""

_LONGEST_QUOTE = 576 - 20 - 8  # RFC 1812 section 4.3.2.3
_UNREACHABLE = 3
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_INTERNETWORK_CONTROL = 0xC0  # RFC 1812 section 4.3.2.5
_LIFETIME = 64
_TCP_HEADER = 20
_ANY = IPv4Address(0)


class Refusing(Protocol):
    """The source of the refusals: the core's table."""

    @property
    def refusal_fd(self) -> int:
        """An eventfd, readable when a refusal became due."""

    def refusals(self) -> Sequence[Refusal]:
        """Take the due refusals, and silence the eventfd."""


def message(refusal: Refusal) -> bytes:
    """The whole packet, as IP_HDRINCL wants it: the kernel fills in length, identification and checksum of
    the IP header, and the source where it is 0."""
    if refusal.code == Icmp.RESET:
        return _reset(refusal)
    body = refusal.quote[:_LONGEST_QUOTE]
    summed = 0xFFFF ^ checksum(struct.pack("!BBHI", _UNREACHABLE, refusal.code, 0, 0) + body)
    header = _header(_INTERNETWORK_CONTROL, socket.IPPROTO_ICMP, refusal.source or _ANY, refusal.destination)
    return header + struct.pack("!BBHI", _UNREACHABLE, refusal.code, summed, 0) + body


def _reset(refusal: Refusal) -> bytes:
    """The remote host's answer if it has no such connection (RFC 9293 section 3.10.7.1).

    Its sequence number is what the segment acknowledged, so that the segment's sender believes it.
    """
    quote = refusal.quote
    start = (quote[0] & 15) * 4
    (total,) = struct.unpack_from("!H", quote, 2)
    source, destination, sequence, acked, offset, flags = struct.unpack_from("!HHIIBB", quote, start)
    if flags & _ACK:
        fields = (acked, 0, _RST)
    else:
        length = total - start - (offset >> 4) * 4 + bool(flags & _SYN) + bool(flags & _FIN)
        fields = (0, (sequence + length) & 0xFFFFFFFF, _RST | _ACK)
    remote, own = quote[16:20], quote[12:16]
    pseudo = remote + own + struct.pack("!HH", socket.IPPROTO_TCP, _TCP_HEADER)

    def segment(check: int) -> bytes:
        number, acknowledged, kind = fields
        return struct.pack(
            "!HHIIBBHHH", destination, source, number, acknowledged, _TCP_HEADER // 4 << 4, kind, 0, check, 0
        )

    header = _header(0, socket.IPPROTO_TCP, IPv4Address(remote), IPv4Address(own))
    return header + segment(0xFFFF ^ checksum(pseudo + segment(0)))


def _header(service: int, protocol: int, source: IPv4Address, destination: IPv4Address) -> bytes:
    return struct.pack(
        "!BBHHHBBH4s4s",
        *(0x45, service, 0, 0, 0, _LIFETIME, protocol, 0),
        source.packed,
        destination.packed,
    )


class Refuser:
    """Sends the refusals of one table, from its making to `close()`."""

    def __init__(self, table: Refusing, looks: Looks | None = None) -> None:
        self._table = table
        self._looks = looks or Looks()
        self._socket = RawSocket("senders get no refusals, as with nat.refusals = false")

    async def serve(self) -> None:
        """Send every refusal that becomes due, until cancelled."""
        loop = asyncio.get_running_loop()
        bell = self._table.refusal_fd
        loop.add_reader(bell, self.send_due)
        try:
            while True:
                self.send_due()
                await asyncio.sleep(LOOK_S)
        finally:
            loop.remove_reader(bell)

    def send_due(self) -> None:
        """Take the due refusals and send them."""
        with self._looks.at("the sending of refusals"):
            for refusal in self._table.refusals():
                self._socket.send(message(refusal))

    def close(self) -> None:
        """Send nothing more. Harmless when called twice."""
        self._socket.close()
