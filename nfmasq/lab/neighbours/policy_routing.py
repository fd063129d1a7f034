"""Policy routing by some bits of the mark, as mwan3 does it (0x3f00): a mark a connection, a table a mark."""

from nfmasq.lab.foreign import iptables
from nfmasq.lab.lab import KERNEL_RULES, Lab
from nfmasq.lab.neighbours.hairpin import calls_lost, forward, hairpin_rules
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import EXTERNAL, INTERNAL, ISP, Masquerade

MASK = 0x3F00
CALLS, BETWEEN = 20, 48
"""Between the calls so many sessions begin that the numbers walk through several values of the mask."""

UNMARKED = f"-t mangle -A PREROUTING -m mark --mark 0/{MASK:#x}"
SET = "-j MARK --set-xmark"

RULES = (
    f"-t mangle -A PREROUTING -j CONNMARK --restore-mark --mask {MASK:#x}",
    f"{UNMARKED} -d {INTERNAL} {SET} {MASK:#x}/{MASK:#x}",
    f"{UNMARKED} -d {EXTERNAL} {SET} {MASK:#x}/{MASK:#x}",
    f"{UNMARKED} -i lan0 {SET} 0x100/{MASK:#x}",
    f"-t mangle -A PREROUTING -j CONNMARK --save-mark --mask {MASK:#x}",
)


def prepare(lab: Lab) -> None:
    """mwan3's rules and tables, and a server on the LAN."""
    router = lab.topology.router
    iptables(router, *RULES)
    for number in range(1, 4):
        table = 100 + number
        router.ip(
            f"route add default via {ISP} dev wan0 table {table}",
            f"route add {INTERNAL} dev lan0 table {table}",
            f"rule add fwmark {number << 8:#x}/{MASK:#x} lookup {table} pref {2000 + number}",
        )
    lab.enter(Servers((lab.topology.client1,), lab.payload))


def visit(masquerade: Masquerade) -> str:
    """LAN hosts go out by marked routes, and call a forwarded port by the external address."""
    findings = Findings()
    with Lab(
        masquerade=masquerade,
        prepare=prepare,
        config=forward(),
        kernel_rules=(*KERNEL_RULES, *hairpin_rules()),
        megabytes=MEGABYTES,
    ) as lab:
        net = lab.topology
        for kind in KINDS:
            seen = seen_as(net.client1, net.server2_address, kind)
            findings.demand(seen and seen[0] == EXTERNAL, f"a LAN host is seen by {kind} as {seen}")
        lost = calls_lost(lab, CALLS, BETWEEN)
        findings.demand(not lost, f"{lost} of {CALLS} calls from the LAN lost")
        return findings.end(lab, f"{CALLS} calls from the LAN arrive, whatever numbers their sessions have")


NEIGHBOUR = Neighbour(
    "policy routing",
    "LAN hosts go out by marked routes and call a forwarded port, and the bits of others stay as they are",
    visit,
)
