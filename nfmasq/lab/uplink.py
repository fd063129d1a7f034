"""A second uplink of the lab's router: `wwan0`, a cable of its own to isp, with a sentinel on it."""

from ipaddress import IPv4Address

from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import join
from nfmasq.lab.sentinel import Sentinel

NAME = "wwan0"
ADDRESS = IPv4Address("100.99.0.2")
GATEWAY = IPv4Address("100.99.0.1")
METRIC = 200


def add_uplink(lab: Lab) -> Sentinel:
    """Lay the cable; its default route has a larger metric, so that it is used when wan0's is gone.

    Returns the sentinel at isp's end: the router may send from ADDRESS alone there.
    """
    net = lab.topology
    join(net.router, NAME, net.isp, "near2")
    net.router.sysctl(f"ipv4/conf/{NAME}/rp_filter", 0)
    net.isp.sysctl("ipv4/conf/near2/rp_filter", 0)
    net.isp.ip(f"address add {GATEWAY}/24 dev near2")
    net.server1.ip(f"route add 100.99.0.0/24 via {net.isp_address}")
    net.server2.ip("route add 100.99.0.0/24 via 198.51.100.1")
    net.router.ip(
        f"address add {ADDRESS}/24 dev {NAME}",
        f"route add default via {GATEWAY} dev {NAME} metric {METRIC}",
    )
    return lab.enter(Sentinel(net.isp, "near2", net.internal, [ADDRESS]))


def pull(lab: Lab) -> None:
    """The first uplink loses its link, and with it its routes."""
    lab.topology.router.ip("link set wan0 down")


def plug_in(lab: Lab) -> None:
    """The first uplink is there again, with its default route."""
    net = lab.topology
    net.router.ip("link set wan0 up", f"route add default via {net.isp_address} dev wan0")
