"""keepalived: a virtual address, a /32 of the external interface, comes when this router is master."""

from ipaddress import IPv4Address

from nfmasq.lab.clients import Download
from nfmasq.lab.lab import KERNEL_RULES, Lab
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import address_seen, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, Masquerade
from nfmasq.lab.waiting import wait_until

VIRTUAL = IPv4Address("203.0.113.100")
PORT = 8080
HOSTS = tuple(IPv4Address("192.168.1.100") + number for number in range(12))
"""Enough of them that a pool of two addresses would show both."""

CONFIG = {
    "forward": [
        {
            "protocol": "tcp",
            "external_address": str(VIRTUAL),
            "external_port": PORT,
            "to": f"{CLIENT1}:80",
        }
    ]
}
KERNEL = (
    *KERNEL_RULES,
    f"-t nat -A PREROUTING -d {VIRTUAL} -p tcp --dport {PORT} -j DNAT --to {CLIENT1}:80",
)


def prepare(lab: Lab) -> None:
    """More hosts on the LAN, and a server there."""
    lab.topology.client1.ip(*(f"address add {host}/24 dev eth0" for host in HOSTS))
    lab.enter(Servers((lab.topology.client1,), lab.payload))


def visit(masquerade: Masquerade) -> str:
    """A download runs while the address comes and goes; hosts appear as before all the time."""
    findings = Findings()
    with Lab(
        masquerade=masquerade,
        prepare=prepare,
        config=CONFIG,
        kernel_rules=KERNEL,
        also_external=(VIRTUAL,),
        megabytes=MEGABYTES,
    ) as lab:
        net = lab.topology
        running = Download(net.client2, SERVER1, "--limit-rate", "1M")
        try:
            wait_until(lambda: running.received > 0, "the download to begin")
            _strangers(lab, "before it comes", findings)
            net.router.ip(f"address add {VIRTUAL}/32 dev wan0")
            reached = 0.0
            try:
                reached = wait_until(
                    lambda: seen_as(net.server1, VIRTUAL, "tcp", port=PORT, patience=0.3), "it", 3
                )
            except TimeoutError:
                findings.demand(False, "a forward that names it does not come in")
            _strangers(lab, "while it is there", findings)
            net.router.ip(f"address del {VIRTUAL}/32 dev wan0")
            _strangers(lab, "when it is gone", findings)
            whole = running.wait().sha256 == lab.payload.sha256
            findings.demand(whole, "the running download was damaged")
        finally:
            running.close()
        return findings.end(lab, f"{len(HOSTS)} hosts seen as {EXTERNAL}, its forward after {reached:.2f} s")


def _strangers(lab: Lab, when: str, findings: Findings) -> None:
    seen = {address_seen(lab.topology.client1, SERVER1, source=host) for host in HOSTS}
    findings.demand(seen == {str(EXTERNAL)}, f"{when} hosts are seen as {', '.join(sorted(seen))}")


NEIGHBOUR = Neighbour(
    "keepalived",
    "a virtual address comes and goes: hosts keep the router's own, sessions go on, a forward may name it",
    visit,
)
