"""The sentinel: no internal address may ever be seen on the outside.

What is stored: one packet socket on a switch port of the WAN, and the leaks found so far. A filter in the
kernel (`sentinel_filter`) passes only the few frames that may be leaks, so the sentinel keeps up with any
rate and loses nothing. These frames are judged when `leaks` is read.

Only what the router sent is looked at: what an outsider sends to an internal address is not the router's
leak. ARP, the IP header with its options, and the packet quoted in an ICMP error are read; payloads are not.
"""

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Self

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import ERRORS
from nfmasq.lab.sentinel_filter import ETH_P_ARP, ETH_P_IP, KEPT_BYTES, attach, suspicious

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
KEPT_LEAKS = 100


def endpoints(header: bytes, what: str) -> Iterator[tuple[str, IPv4Address]]:
    """Every address an IPv4 header bears, with a name for its place; options are read at every offset."""
    if len(header) < 20:
        return
    yield f"{what}source", IPv4Address(header[12:16])
    yield f"{what}destination", IPv4Address(header[16:20])
    options = header[20 : (header[0] & 0x0F) * 4]
    for offset in range(len(options) - 3):
        yield f"{what}option", IPv4Address(options[offset : offset + 4])


def addresses_of(frame: bytes) -> Iterator[tuple[str, IPv4Address]]:
    """Every address of an Ethernet frame that could betray a host, with a name for its place."""
    kind = int.from_bytes(frame[12:14])
    payload = frame[14:]
    if kind == ETH_P_ARP and len(payload) >= 28:
        yield "ARP sender", IPv4Address(payload[14:18])
        yield "ARP target", IPv4Address(payload[24:28])
    if kind != ETH_P_IP or len(payload) < 20:
        return
    yield from endpoints(payload, "")
    message = payload[(payload[0] & 0x0F) * 4 :]
    first = int.from_bytes(payload[6:8]) & 0x1FFF == 0
    if payload[9] == socket.IPPROTO_ICMP and first and message[:1] and message[0] in ERRORS:
        yield from endpoints(message[8:], "quoted ")


_UNSPECIFIED = IPv4Address("0.0.0.0")
"""The source of IGMP reports while the router has no address (RFC 3376 section 4.2.13): it shows nobody's."""


class Sentinel:
    """Listens from its making to `close()`. `leaks` must stay empty.

    interface: the switch port, in `namespace`, at which the router's cable ends.
    allowed: when given, whatever the router sends must have one of these as its source.
    """

    def __init__(
        self,
        namespace: Namespace,
        interface: str,
        internal_network: IPv4Network,
        allowed: Sequence[IPv4Address] = (),
    ) -> None:
        self._internal = internal_network
        self._allowed = tuple(allowed)
        self._found: list[str] = []
        program = self._filter()

        def listen() -> tuple[socket.socket, int]:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
            attach(sock, program)
            sock.bind((interface, ETH_P_ALL))
            sock.setblocking(False)
            return sock, _frames_from_the_cable(interface)

        self._namespace, self._interface = namespace, interface
        self._before: int
        self._socket: socket.socket
        self._socket, self._before = namespace.call(listen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; what was found stays."""
        self._socket.close()

    @property
    def frames(self) -> int:
        """How many frames the router has sent on this cable since the sentinel began."""
        now: int = self._namespace.call(_frames_from_the_cable, self._interface)
        return now - self._before

    @property
    def leaks(self) -> list[str]:
        """One sentence a leak, the first hundred."""
        while self._socket.fileno() >= 0:
            try:
                frame = self._socket.recv(KEPT_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ENETDOWN:  # said once; the socket listens again when the port is up
                    continue
                raise
            self._judge(frame)
        if self._socket.fileno() >= 0:
            lost = struct.unpack("=II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
            if lost:
                self._report(f"{lost} suspicious frames came faster than the sentinel could read")
        return self._found

    def take(self) -> list[str]:
        """The leaks since the last time, and begin anew."""
        taken = list(self.leaks)
        self._found.clear()
        return taken

    def _filter(self) -> bytes:
        """What the kernel passes up of the router's frames."""
        return suspicious(self._internal, self._allowed)

    def _judge(self, frame: bytes) -> None:
        for place, address in addresses_of(frame):
            foreign = place == "source" and self._allowed and address not in (*self._allowed, _UNSPECIFIED)
            if address in self._internal or foreign:
                self._report(f"{place} {address} on the WAN: {frame[14:78].hex()}")
                return

    def _report(self, leak: str) -> None:
        if len(self._found) < KEPT_LEAKS:
            self._found.append(leak)


def _frames_from_the_cable(interface: str) -> int:
    with open("/proc/thread-self/net/dev", encoding="ascii") as devices:
        for line in devices:
            name, _, figures = line.partition(":")
            if name.strip() == interface:
                return int(figures.split()[1])
    raise OSError(f"no interface {interface}")
