"""Sends IP packets of our own making, by a raw socket.

What is stored: one socket, from the making to `close()`; none without CAP_NET_RAW. What cannot be sent is
forgotten: there is no route, a buffer is full, a rule drops it. So this is for packets that may be lost.
"""

import logging
import socket
from contextlib import suppress
from ipaddress import IPv4Address

_DESTINATION = slice(16, 20)

log = logging.getLogger("nfmasq")


class RawSocket:
    """without: what is not done where the process may have no such socket; logged once, as a warning."""

    def __init__(self, without: str) -> None:
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(
                socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW
            )
        except OSError as error:
            log.warning(
                "no raw socket (%s): %s; give nfmasq CAP_NET_RAW "
                "(AmbientCapabilities=CAP_NET_RAW in its unit)",
                error.strerror,
                without,
            )

    def send(self, packet: bytes | bytearray) -> None:
        """Send an IP packet; the kernel fills in length and checksum of its header, and the identification
        and the source where they are 0."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto(packet, (str(IPv4Address(bytes(packet[_DESTINATION]))), 0))

    def close(self) -> None:
        """Send nothing more. Harmless when called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
