"""firewalld and ufw: stateful filters that see internal addresses, and let in what is allowed."""

from collections.abc import Callable

from nfmasq.lab.clients import ping
from nfmasq.lab.foreign import iptables, nft
from nfmasq.lab.lab import KERNEL_RULES, Lab
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, Masquerade

ALLOWED, FORBIDDEN = 8081, 8082

FIREWALLD = f"""
table inet firewalld {{
    chain raw_PREROUTING {{
        type filter hook prerouting priority raw + 10; policy accept;
        fib saddr . iif oif missing drop
    }}
    chain filter_FORWARD {{
        type filter hook forward priority filter + 10; policy accept;
        ct state {{ established, related }} accept
        ct state invalid drop
        iifname "lan0" oifname "wan0" accept
        iifname "wan0" ip daddr {CLIENT1} tcp dport 80 accept
        reject with icmpx admin-prohibited
    }}
    chain filter_INPUT {{
        type filter hook input priority filter + 10; policy accept;
        ct state {{ established, related }} accept
        iifname "lo" accept
        meta l4proto icmp accept
        ct state invalid drop
        reject with icmpx admin-prohibited
    }}
}}
"""

UFW = (
    "-N ufw-before-forward",
    "-N ufw-before-input",
    "-A FORWARD -j ufw-before-forward",
    "-A INPUT -j ufw-before-input",
    "-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A ufw-before-forward -m conntrack --ctstate INVALID -j DROP",
    "-A ufw-before-forward -i lan0 -o wan0 -j ACCEPT",
    f"-A ufw-before-forward -i wan0 -d {CLIENT1} -p tcp --dport 80 -j ACCEPT",
    "-A ufw-before-input -i lo -j ACCEPT",
    "-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A ufw-before-input -p icmp -j ACCEPT",
    "-P FORWARD DROP",
    "-P INPUT DROP",
)

FORWARDS = {
    "forward": [
        {"protocol": "tcp", "external_port": ALLOWED, "to": f"{CLIENT1}:80"},
        {"protocol": "tcp", "external_port": FORBIDDEN, "to": f"{CLIENT2}:80"},
    ]
}
KERNEL = (
    *KERNEL_RULES,
    f"-t nat -A PREROUTING -d {EXTERNAL} -p tcp --dport {ALLOWED} -j DNAT --to {CLIENT1}:80",
    f"-t nat -A PREROUTING -d {EXTERNAL} -p tcp --dport {FORBIDDEN} -j DNAT --to {CLIENT2}:80",
)


def firewalld(lab: Lab) -> None:
    """Zones of firewalld, as its nftables back end lays them."""
    nft(lab.topology.router, FIREWALLD)


def ufw(lab: Lab) -> None:
    """ufw's chains, with a route rule for one forward."""
    iptables(lab.topology.router, *UFW)


def visit(masquerade: Masquerade) -> str:
    """One lab with each of the two."""
    return " · ".join(_beside(each, masquerade) for each in (firewalld, ufw))


def _beside(firewall: Callable[[Lab], None], masquerade: Masquerade) -> str:
    findings, name = Findings(), firewall.__name__

    def prepare(lab: Lab) -> None:
        firewall(lab)
        lab.enter(Servers((lab.topology.client1, lab.topology.client2), lab.payload))

    with Lab(
        masquerade=masquerade, prepare=prepare, config=FORWARDS, kernel_rules=KERNEL, megabytes=MEGABYTES
    ) as lab:
        net = lab.topology
        for kind in KINDS:
            findings.demand(seen_as(net.client1, net.server2_address, kind), f"{name}: no answer by {kind}")
        pings = ping(net.client2, net.server2_address, count=2).received
        findings.demand(pings == 2, f"{name}: {pings} of 2 pings answered")
        let_in = seen_as(net.server1, EXTERNAL, "tcp", port=ALLOWED)
        findings.demand(let_in, f"{name}: the forward that is allowed does not come in")
        shut_out = seen_as(net.server1, EXTERNAL, "tcp", port=FORBIDDEN)
        findings.demand(not shut_out, f"{name}: the forward that is not allowed comes in")
        return findings.end(lab, f"{name}: answers by udp, tcp and ping, one forward let in, one kept out")


NEIGHBOUR = Neighbour(
    "firewalls",
    "firewalld and ufw let LAN hosts out and their answers in, and of two forwards the one they allow",
    visit,
)
