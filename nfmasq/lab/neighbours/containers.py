"""A container engine, as Docker without userland proxy: DNAT of published ports, MASQUERADE of containers.

No socket on the router holds a published port, and what containers begin leaves by any port of the router.
"""

from ipaddress import IPv4Interface

from nfmasq.lab.clients import ping
from nfmasq.lab.foreign import iptables
from nfmasq.lab.inner import Inner
from nfmasq.lab.lab import Lab
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import EXTERNAL, Masquerade

PUBLISHED, NODE_PORT = 8080, 30080
"""The second lies in the range that nfmasq hands out."""
OWN_PORTS = (5060, 40000)
BRIDGE, CONTAINER = IPv4Interface("172.17.0.1/16"), IPv4Interface("172.17.0.2/16")

RULES = (
    "-t nat -N DOCKER",
    "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    "-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
    *(
        f"-t nat -A DOCKER ! -i docker0 -p tcp --dport {port} -j DNAT --to-destination {CONTAINER.ip}:80"
        for port in (PUBLISHED, NODE_PORT)
    ),
    "-N DOCKER",
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A FORWARD -o docker0 -j DOCKER",
    "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
    f"-A DOCKER -d {CONTAINER.ip} ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT",
    "-A DOCKER ! -i docker0 -o docker0 -j DROP",
)


def engine(lab: Lab) -> Inner:
    """The engine's bridge and rules, and one container with the lab's servers in it."""
    inner = lab.enter(Inner(lab.topology.router, "docker0", BRIDGE, CONTAINER))
    iptables(lab.topology.router, *RULES)
    lab.enter(Servers((inner.guest,), lab.payload))
    return inner


def check(lab: Lab, inner: Inner, findings: Findings) -> None:
    """Published ports from everywhere, and what the container itself begins."""
    net = lab.topology
    for port in (PUBLISHED, NODE_PORT):
        for place, caller in (("outside", net.server1), ("the LAN", net.client1)):
            reached = seen_as(caller, EXTERNAL, "tcp", port=port)
            findings.demand(reached, f"port {port} does not reach the container from {place}")
    for source_port in OWN_PORTS:
        for kind in KINDS:
            seen = seen_as(inner.guest, net.server2_address, kind, source_port=source_port)
            findings.demand(seen, f"no answer to the container's {kind} port {source_port}")
    pings = ping(inner.guest, net.server2_address, count=2).received
    findings.demand(pings == 2, f"{pings} of 2 pings of the container answered")


def visit(masquerade: Masquerade) -> str:
    """A container that is called and calls, and a LAN host."""
    findings = Findings()
    made: list[Inner] = []
    with Lab(masquerade=masquerade, prepare=lambda lab: made.append(engine(lab)), megabytes=MEGABYTES) as lab:
        check(lab, made[0], findings)
        for kind in KINDS:
            seen = seen_as(lab.topology.client1, lab.topology.server1_address, kind)
            findings.demand(seen and seen[0] == EXTERNAL, f"a LAN host is seen by {kind} as {seen}")
        ports = f"ports {PUBLISHED} and {NODE_PORT}"
        return findings.end(lab, f"{ports} reach the container; its udp, tcp and pings are answered")


NEIGHBOUR = Neighbour(
    "containers",
    "published ports and node ports reach the container from outside and the LAN; what it begins is answered",
    visit,
)
