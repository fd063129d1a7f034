"""The external interface is a bridge, with a box of the provider's on another port of it."""

from ipaddress import IPv4Address
from pathlib import Path

from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace, join
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, address_seen
from nfmasq.lab.topology import EXTERNAL, INTERNAL, ISP, SERVER2, Masquerade
from nfmasq.lab.waiting import wait_until

NAME = "br-wan"
BOX = IPv4Address("203.0.113.50")
CONFIG = {"nat": {"external": NAME}}
KERNEL = (f"-t nat -A POSTROUTING -o {NAME} -s {INTERNAL} -j MASQUERADE",)
BRIDGED_MEET_RULES = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def prepare(lab: Lab) -> Namespace:
    """The bridge takes the cable and the address of wan0; the box."""
    router = lab.topology.router
    box = lab.enter(Namespace("box"))
    router.ip(f"link add {NAME} type bridge forward_delay 0", f"link set {NAME} up", "address flush dev wan0")
    join(router, "stb0", box, "eth0")
    router.ip(f"link set wan0 master {NAME}", f"link set stb0 master {NAME}")
    router.sysctl(f"ipv4/conf/{NAME}/rp_filter", 0)
    _give_address(lab)
    box.ip(f"address add {BOX}/24 dev eth0", f"route add default via {ISP}")
    if BRIDGED_MEET_RULES.exists():
        router.sysctl("bridge/bridge-nf-call-iptables", 1)
    return box


def _give_address(lab: Lab) -> None:
    lab.topology.router.ip(f"address add {EXTERNAL}/24 dev {NAME}", f"route replace default via {ISP}")


def visit(masquerade: Masquerade) -> str:
    """The LAN, and the box, while the router has an address, has none, and has one again."""
    findings = Findings()
    boxes: list[Namespace] = []
    with Lab(
        masquerade=masquerade,
        prepare=lambda lab: boxes.append(prepare(lab)),
        config=CONFIG,
        kernel_rules=KERNEL,
        also_external=(BOX,),
        megabytes=MEGABYTES,
    ) as lab:
        client, box = lab.topology.client1, boxes[0]
        for kind in KINDS:
            seen = address_seen(client, SERVER2, kind)
            findings.demand(seen == str(EXTERNAL), f"a LAN host is seen by {kind} as {seen}")
            seen = address_seen(box, SERVER2, kind)
            findings.demand(seen == str(BOX), f"the box is seen by {kind} as {seen}")
        lab.topology.router.ip(f"address del {EXTERNAL}/24 dev {NAME}")
        alone = address_seen(box, SERVER2)
        findings.demand(alone == str(BOX), f"while the router has no address the box is seen as {alone}")
        leaks = [leak for leak in lab.sentinel.take() if not leak.startswith("ARP")]
        findings.demand(not leaks, f"{len(leaks)} leaks while the router has no address: {leaks[:1]}")
        _give_address(lab)
        try:
            wait_until(lambda: address_seen(client, SERVER2, patience=0.5) == str(EXTERNAL), "the LAN", 3)
        except TimeoutError:
            findings.demand(False, "with an address again the LAN is not served")
        bridged = "meet" if BRIDGED_MEET_RULES.exists() else "do not meet (br_netfilter is not here)"
        return findings.end(lab, f"LAN seen as {EXTERNAL}, box as {BOX}; bridged frames {bridged} the rules")


NEIGHBOUR = Neighbour(
    "bridge",
    "with a bridge as external interface the LAN is translated, and another port's frames pass untouched",
    visit,
)
