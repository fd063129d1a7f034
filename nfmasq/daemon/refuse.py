"""Sends the refusals: ICMP errors about refused packets (RFC 5508 REQ-8, RFC 5382 REQ-4, RFC 6888 REQ-11).

The core decides on receiver, message, time and rate; this module writes and sends the messages. A message
that cannot be sent is forgotten, as any ICMP error may be lost.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Protocol

from nfmasq._fastpath import checksum
from nfmasq.core.rows import Refusal
from nfmasq.daemon.looks import Looks
from nfmasq.machine.raw_socket import RawSocket

LOOK_S = 1.0
"""How often to look for refusals that became due by time, for which no doorbell rings."""

_LONGEST_QUOTE = 576 - 20 - 8  # RFC 1812 section 4.3.2.3
_UNREACHABLE = 3
_INTERNETWORK_CONTROL = 0xC0  # RFC 1812 section 4.3.2.5
_LIFETIME = 64
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
    body = refusal.quote[:_LONGEST_QUOTE]
    summed = 0xFFFF ^ checksum(struct.pack("!BBHI", _UNREACHABLE, refusal.code, 0, 0) + body)
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        _INTERNETWORK_CONTROL,
        0,
        0,
        0,
        _LIFETIME,
        socket.IPPROTO_ICMP,
        0,
        (refusal.source or _ANY).packed,
        refusal.destination.packed,
    )
    return header + struct.pack("!BBHI", _UNREACHABLE, refusal.code, summed, 0) + body


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
