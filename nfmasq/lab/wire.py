"""A tap on a cable: it sends frames exactly as given, and sees all that pass.

What is stored: one packet socket. Frames wait in it until they are read; bulk traffic would overflow it, and
wants a sentinel instead.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import patient

ETH_P_ALL, ETH_P_IP = 0x0003, 0x0800
LONGEST = 65536 + 14
_BUFFER = 8 << 20
_SO_RCVBUFFORCE = 33


def hardware_address(namespace: Namespace, interface: str) -> bytes:
    """The MAC address of an interface."""
    shown = json.loads(namespace.run("ip", "-json", "link", "show", "dev", interface))
    return bytes.fromhex(shown[0]["address"].replace(":", ""))


class Wire:
    """A packet socket on one interface, from its making to `close()`.

    gateway: (namespace, interface) to which `send_ip` addresses its frames.
    """

    def __init__(
        self, namespace: Namespace, interface: str, gateway: tuple[Namespace, str] | None = None
    ) -> None:
        self._header = b""
        if gateway is not None:
            own = hardware_address(namespace, interface)
            self._header = hardware_address(*gateway) + own + ETH_P_IP.to_bytes(2)

        def listen() -> socket.socket:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            sock.bind((interface, ETH_P_ALL))
            sock.settimeout(0)
            return sock

        self._socket: socket.socket = namespace.call(listen)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go."""
        self._socket.close()

    def send(self, frame: bytes) -> None:
        """Send an Ethernet frame as it is."""
        self._socket.send(frame)

    def send_ip(self, packet: bytes) -> None:
        """Send an IPv4 packet, or what pretends to be one, to the gateway."""
        if not self._header:
            raise ValueError("this wire has no gateway to send to")
        self.send(self._header + packet)

    def seen(self) -> Iterator[bytes]:
        """The IPv4 packets that have passed since the last question, without their Ethernet header."""
        while True:
            try:
                frame = self._socket.recv(LONGEST)
            except BlockingIOError:
                return
            if frame[12:14] == ETH_P_IP.to_bytes(2):
                yield frame[14:]

    def expect(self, wanted: Callable[[bytes], bool], patience: float = 3) -> bytes:
        """The next IPv4 packet that is `wanted`; TimeoutError when none passes within `patience` seconds."""
        patience = patient(patience)
        deadline = time.monotonic() + patience
        while True:
            for packet in self.seen():
                if wanted(packet):
                    return packet
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the packet waited for did not pass within {patience} s")
            self._wait(left)

    def _wait(self, seconds: float) -> None:
        self._socket.settimeout(seconds)
        with suppress(TimeoutError):
            self._socket.recv(1, socket.MSG_PEEK)
        self._socket.settimeout(0)
