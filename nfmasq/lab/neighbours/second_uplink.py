"""A second uplink: the default route moves to it when the first one fails, and back."""

from ipaddress import IPv4Address

from nfmasq.lab import uplink
from nfmasq.lab.lab import KERNEL_RULES, Lab
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, address_seen
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.topology import EXTERNAL, SERVER2, Masquerade
from nfmasq.lab.waiting import wait_until

CONFIG = {"nat": {"external": ["wan0", uplink.NAME]}}
KERNEL = (*KERNEL_RULES, f"-t nat -A POSTROUTING -o {uplink.NAME} -j MASQUERADE")
WITHIN_S = 1.0


def visit(masquerade: Masquerade) -> str:
    """Failover and back, timed, with a sentinel on either cable."""
    findings = Findings()
    other: list[Sentinel] = []
    with Lab(
        masquerade=masquerade,
        prepare=lambda lab: other.append(uplink.add_uplink(lab)),
        config=CONFIG,
        kernel_rules=KERNEL,
        megabytes=MEGABYTES,
    ) as lab:
        _until_seen_as(lab, EXTERNAL, findings)
        uplink.pull(lab)
        over = _until_seen_as(lab, uplink.ADDRESS, findings)
        uplink.plug_in(lab)
        back = _until_seen_as(lab, EXTERNAL, findings)
        leaks = other[0].take()
        findings.demand(not leaks, f"{len(leaks)} leaks by {uplink.NAME}: {leaks[:1]}")
        took = f"seen as {uplink.ADDRESS} after {over:.2f} s, as {EXTERNAL} again after {back:.2f} s"
        findings.demand(max(over, back) <= WITHIN_S, took)
        return findings.end(lab, took)


def _until_seen_as(lab: Lab, address: IPv4Address, findings: Findings) -> float:
    """The seconds until client1 is seen by both kinds as this address."""
    client = lab.topology.client1

    def seen() -> bool:
        return all(address_seen(client, SERVER2, kind, patience=0.25) == str(address) for kind in KINDS)

    try:
        return wait_until(seen, f"hosts to be seen as {address}")
    except TimeoutError:
        now = address_seen(client, SERVER2)
        findings.demand(False, f"seen as {now} where {address} is the way out")
        return 0.0


NEIGHBOUR = Neighbour(
    "second uplink",
    "when the first uplink fails, hosts are served by the address of the second within a second, and back",
    visit,
)
