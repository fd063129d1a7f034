"""Sends the bytes that a grown segment had no room for, as packets of our own making.

A packet that is lost is sent again by the TCP that wrote its bytes.
"""

from collections.abc import Iterable
from typing import Protocol

from nfmasq.machine.raw_socket import RawSocket


class Sender(Protocol):
    """Sends IP packets of our own making."""

    def send(self, packets: Iterable[bytearray]) -> None: ...
    def close(self) -> None: ...


class Remainder:
    """Owns a raw socket until `close()`."""

    def __init__(self) -> None:
        self._socket = RawSocket("segments that helpers make longer than the path takes go on late")

    def send(self, packets: Iterable[bytearray]) -> None:
        """Send IP packets; the kernel gives each an identification of its own."""
        for packet in packets:
            packet[4:6] = b"\0\0"
            self._socket.send(packet)

    def close(self) -> None:
        """Close the socket. Harmless when called twice."""
        self._socket.close()
