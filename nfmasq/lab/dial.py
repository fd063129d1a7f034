"""A dialled uplink: a point-to-point device without link header, as PPP, OpenVPN and WireGuard have it.

What is stored: a tun device on the router and one at isp, and a thread that carries packets between them, as
pppd does. The thread writes `strangers`. The devices go when their descriptors close.
"""

import os
import select
import struct
import threading
from contextlib import suppress
from fcntl import ioctl
from ipaddress import IPv4Address, IPv4Network

from nfmasq.lab.foreign import NotHere
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import Topology

NAME, FAR_NAME = "ppp0", "ppp-isp"
PEER = IPv4Address("100.64.0.1")
NETWORK = IPv4Network("100.64.0.0/10")
MTU = 1400
_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
_KEPT = 100


class Dial:
    """A context manager: dialled from its making until `hang_up()`.

    address: the router's, a /32 with a peer. `strangers`: sources other than it that the router let out.
    """

    def __init__(self, net: Topology, address: IPv4Address) -> None:
        self.address = address
        self.strangers: list[IPv4Address] = []
        self._near = _tun(net.router, NAME)
        self._far = _tun(net.isp, FAR_NAME)
        for namespace, device, own, peer in (
            (net.router, NAME, address, PEER),
            (net.isp, FAR_NAME, PEER, address),
        ):
            namespace.ip(f"address add {own} peer {peer}/32 dev {device}", f"link set {device} mtu {MTU} up")
            namespace.sysctl(f"ipv4/conf/{device}/rp_filter", 0)
        net.router.ip(f"route replace default dev {NAME}")
        self._open = True
        self._carrier = threading.Thread(target=self._carry, daemon=True)
        self._carrier.start()

    def __enter__(self) -> "Dial":
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Let both devices go. Harmless when called twice."""
        if self._open:
            self._open = False
            self._carrier.join()
            os.close(self._near)
            os.close(self._far)

    def _carry(self) -> None:
        while self._open:
            for end in select.select([self._near, self._far], [], [], 0.1)[0]:
                with suppress(OSError):
                    self._pass_on(end)

    def _pass_on(self, end: int) -> None:
        packet = os.read(end, 65535)
        if end == self._near and packet[0] >> 4 == 4:
            source = IPv4Address(packet[12:16])
            if source != self.address and len(self.strangers) < _KEPT:
                self.strangers.append(source)
        os.write(self._far if end == self._near else self._near, packet)


def _tun(namespace: Namespace, device: str) -> int:
    def opened() -> int:
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        ioctl(end, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _TUN_WITHOUT_HEADER))
        return end

    try:
        end: int = namespace.call(opened)
    except OSError as error:
        raise NotHere(f"/dev/net/tun: {error.strerror}") from None
    return end


def prepare_dialling(net: Topology) -> None:
    """The router has no other uplink, and the servers know the way to dialled addresses."""
    net.router.ip("link set wan0 down")
    net.server1.ip(f"route add {NETWORK} via {net.isp_address}")
    net.server2.ip(f"route add {NETWORK} via 198.51.100.1")
