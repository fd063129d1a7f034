"""Hosts that are mere addresses, and the markers that show when a packet will not come any more.

A marker is a datagram sent behind a packet by the same way. When the marker has arrived, so has the packet,
or it never will. So a check sees the absence of a packet without waiting for it.

What is stored: nothing but a host's address and its wire, which hosts may share.
"""

from ipaddress import IPv4Address
from typing import Any

from nfmasq.lab.packets import read
from nfmasq.lab.rfc.not_met import NotMet
from nfmasq.lab.wire import Wire

MARKER = b"behind it"
MARKER_PORT = 9
_SHIFT = 10
"""A host's marker has the address ten above its own."""


class Host:
    """An address at the end of a cable; `send` and `expect` are its only life."""

    def __init__(self, address: IPv4Address, wire: Wire) -> None:
        self.address = address
        self.wire = wire
        self.marker = (address + _SHIFT, MARKER_PORT)

    def send(self, packet: bytes) -> None:
        """Put a packet on the cable, to the gateway."""
        self.wire.send_ip(packet)

    def expect(self, what: str, protocol: int, patience: float = 3, **fields: Any) -> bytes:
        """The next packet for this address with these fields of `Seen`; NotMet if none comes."""

        def wanted(packet: bytes) -> bool:
            seen = read(packet)
            to_us = seen.destination[0] == self.address and seen.protocol == protocol
            return to_us and all(getattr(seen, name) == value for name, value in fields.items())

        try:
            return self.wire.expect(wanted, patience)
        except TimeoutError:
            raise NotMet(f"{self.address} did not get {what}") from None

    def ignore(self) -> None:
        """Forget what came so far."""
        for _ in self.wire.seen():
            pass

    def until_marker(self) -> list[bytes]:
        """What came for this address before the marker did."""
        caught: list[bytes] = []

        def is_marker(packet: bytes) -> bool:
            seen = read(packet)
            if seen.destination[0] == self.address:
                caught.append(packet)
            return seen.destination[0] == self.marker[0] and seen.payload == MARKER

        try:
            self.wire.expect(is_marker)
        except TimeoutError:
            raise NotMet("not even the marker behind the packet arrived") from None
        return caught


def arriving(sender: Host, packets: list[bytes], marker: bytes, receiver: Host, at_least: int) -> list[bytes]:
    """Send packets and a marker behind them; what the receiver gets before the marker.

    If too little came, what it gets before a second marker too: on a busy machine with several processors,
    the kernel may let one packet overtake another.
    """
    for packet in (*packets, marker):
        sender.send(packet)
    caught = receiver.until_marker()
    if len(caught) < at_least:
        sender.send(marker)
        caught += receiver.until_marker()
    return caught
