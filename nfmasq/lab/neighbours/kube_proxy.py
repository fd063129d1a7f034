"""kube-proxy: node ports by DNAT, and two bits of the mark, 0x4000 to masquerade and 0x8000 to drop."""

from ipaddress import IPv4Interface

from nfmasq.lab.foreign import iptables
from nfmasq.lab.inner import Inner
from nfmasq.lab.lab import KERNEL_RULES, Lab
from nfmasq.lab.neighbours.hairpin import CALLED, calls_lost, forward, hairpin_rules, many_sessions
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import EXTERNAL, Masquerade

NODE_PORT = 30080
SESSIONS = 0x4000
"""As many as it takes until the number of a session has the bit."""
BRIDGE, POD = IPv4Interface("10.244.0.1/24"), IPv4Interface("10.244.0.2/24")

RULES = (
    "-t nat -N KUBE-MARK-MASQ",
    "-t nat -N KUBE-NODEPORTS",
    "-t nat -N KUBE-SERVICES",
    "-t nat -N KUBE-POSTROUTING",
    "-t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
    "-t nat -A PREROUTING -j KUBE-SERVICES",
    "-t nat -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
    f"-t nat -A KUBE-NODEPORTS -p tcp --dport {NODE_PORT} -j KUBE-MARK-MASQ",
    f"-t nat -A KUBE-NODEPORTS -p tcp --dport {NODE_PORT} -j DNAT --to-destination {POD.ip}:80",
    "-t nat -A POSTROUTING -j KUBE-POSTROUTING",
    "-t nat -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-t nat -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
    "-t nat -A KUBE-POSTROUTING -j MASQUERADE --random-fully",
    "-N KUBE-FIREWALL",
    "-A FORWARD -j KUBE-FIREWALL",
    "-A INPUT -j KUBE-FIREWALL",
    "-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
)


def prepare(lab: Lab) -> None:
    """kube-proxy's rules, a pod, and a server on the LAN."""
    inner = lab.enter(Inner(lab.topology.router, "cni0", BRIDGE, POD))
    iptables(lab.topology.router, *RULES)
    lab.enter(Servers((inner.guest, lab.topology.client1), lab.payload))


def visit(masquerade: Masquerade) -> str:
    """Node ports, and calls by the external address when sessions have large numbers."""
    findings = Findings()
    with Lab(
        masquerade=masquerade,
        prepare=prepare,
        config=forward(),
        kernel_rules=(*KERNEL_RULES, *hairpin_rules()),
        megabytes=MEGABYTES,
    ) as lab:
        net = lab.topology
        for place, caller in (("outside", net.server1), ("the LAN", net.client2)):
            reached = seen_as(caller, EXTERNAL, "tcp", port=NODE_PORT)
            findings.demand(reached, f"the node port does not reach the pod from {place}")
        lost = 0
        for _ in range(3):
            lost += calls_lost(lab, 3)
            many_sessions(lab, SESSIONS)
        findings.demand(not lost, f"{lost} of 9 calls from the LAN to port {CALLED} lost")
        return findings.end(
            lab, f"the node port reaches the pod; 9 calls from the LAN to port {CALLED} arrive"
        )


NEIGHBOUR = Neighbour(
    "kube-proxy",
    "node ports reach the pod, and no number of a session is taken for the marks 0x4000 and 0x8000",
    visit,
)
