"""Sends what a grown segment had no room for: packets of our own making, by a raw socket.

A lost one is sent again by the TCP that wrote it. So nothing is said of errors, but once that there is no
socket.
"""

import logging
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

log = logging.getLogger("nfmasq")


class Sender(Protocol):
    """Who sends IP packets of our own making."""

    def send(self, packets: Iterable[bytearray]) -> None: ...
    def close(self) -> None: ...


class Rest:
    """One raw socket, from the making to `close()`. Needs CAP_NET_RAW; without, TCP sends it again."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(
                socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW
            )
        except OSError as error:
            log.warning(
                "no raw socket (%s): segments that helpers make longer than the path takes go on late; "
                "give nfmasq CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW in its unit)",
                error.strerror,
            )

    def send(self, packets: Iterable[bytearray]) -> None:
        """Send IP packets; the kernel gives each an identification of its own."""
        for packet in packets:
            packet[4:6] = b"\0\0"
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))

    def close(self) -> None:
        """Send nothing more. Harmless when called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
