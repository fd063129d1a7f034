"""A network on the router itself: a bridge with one namespace behind it, as container engines make it."""

from contextlib import AbstractContextManager
from ipaddress import IPv4Interface

from nfmasq.lab.namespace import Namespace, join


class Inner(AbstractContextManager["Inner"]):
    """A bridge on the router with address `own`, and behind it `guest`, whose default route leads there.

    bridge, own: name and address of the bridge; address: of the guest.
    """

    def __init__(self, router: Namespace, bridge: str, own: IPv4Interface, address: IPv4Interface) -> None:
        self.bridge, self.own, self.address = bridge, own, address
        self.guest = Namespace(f"guest of {bridge}")
        port = f"{bridge[:8]}-port"
        router.ip(f"link add {bridge} type bridge forward_delay 0", f"link set {bridge} up")
        router.ip(f"address add {own} dev {bridge}")
        join(router, port, self.guest, "eth0")
        router.ip(f"link set {port} master {bridge}")
        self.guest.ip(f"address add {address} dev eth0", f"route add default via {own.ip}")

    def __exit__(self, *_: object) -> None:
        self.guest.close()
