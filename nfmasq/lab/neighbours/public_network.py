"""A public network inside: the provider routes a /28 here, and private hosts share the LAN with it."""

from ipaddress import IPv4Address, IPv4Network

from nfmasq.lab.lab import Lab
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, address_seen, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import EXTERNAL, INTERNAL, ISP_FAR, SERVER2, Masquerade

NETWORK = IPv4Network("198.18.5.0/28")
ROUTER_THERE, HOST = NETWORK[1], NETWORK[2]
CONFIG = {"network": [{"cidr": str(NETWORK), "translate": False}]}
KERNEL = (f"-t nat -A POSTROUTING -s {INTERNAL} -o wan0 -j MASQUERADE",)


def prepare(lab: Lab, host: IPv4Address = HOST) -> None:
    """Client2 gets a public address; the outside knows the way to it."""
    net = lab.topology
    net.router.ip(f"address add {ROUTER_THERE}/28 dev lan0")
    net.client2.ip(f"address add {host}/28 dev eth0", f"route replace default via {ROUTER_THERE} src {host}")
    for outside in (net.isp, net.server1):
        outside.ip(f"route add {NETWORK} via {EXTERNAL}")
    net.server2.ip(f"route add {NETWORK} via {ISP_FAR}")
    lab.enter(Servers((net.client2,), lab.payload))


def visit(masquerade: Masquerade) -> str:
    """Both kinds of host go out; the public one is called."""
    findings = Findings()
    with Lab(
        masquerade=masquerade,
        prepare=prepare,
        config=CONFIG,
        kernel_rules=KERNEL,
        also_external=(HOST,),
        megabytes=MEGABYTES,
    ) as lab:
        net = lab.topology
        for kind in KINDS:
            for client, wanted in ((net.client1, EXTERNAL), (net.client2, HOST)):
                seen = address_seen(client, SERVER2, kind)
                findings.demand(seen == str(wanted), f"by {kind} seen as {seen}, not as {wanted}")
            called = seen_as(net.server1, HOST, kind)
            findings.demand(called, f"the public server is not reached by {kind}")
        return findings.end(
            lab, f"private hosts seen as {EXTERNAL}, public ones as themselves, in both directions"
        )


NEIGHBOUR = Neighbour(
    "public network",
    "a public network inside is routed as it is, in both directions; private hosts beside it are translated",
    visit,
)
