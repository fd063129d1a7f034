"""An uplink that is dialled, and dialled again: a tun device with a /32, a peer and a smaller MTU."""

from ipaddress import IPv4Address

from nfmasq.lab.clients import ping, upload
from nfmasq.lab.dial import MTU, NAME, Dial, prepare_dialling
from nfmasq.lab.lab import Lab
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, address_seen
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.topology import SERVER2, Masquerade
from nfmasq.lab.waiting import wait_until

ADDRESSES = IPv4Address("100.64.9.2"), IPv4Address("100.64.77.3")
WITHIN_S = 3.0
CONFIG = {"nat": {"external": NAME}}
KERNEL = (
    f"-t nat -A POSTROUTING -o {NAME} -j MASQUERADE",
    f"-t mangle -A FORWARD -o {NAME} -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu",
)


def visit(masquerade: Masquerade) -> str:
    """The router is up before the first dial; after each dial all of a host's traffic is tried."""
    findings, took = Findings(), []
    with Lab(
        masquerade=masquerade,
        prepare=lambda lab: prepare_dialling(lab.topology),
        config=CONFIG,
        kernel_rules=KERNEL,
        megabytes=MEGABYTES,
    ) as lab:
        for number, address in enumerate(ADDRESSES, 1):
            with Dial(lab.topology, address) as dial:
                took.append(_try(lab, dial, f"dial {number}", findings))
                strangers = {str(each) for each in dial.strangers}
                kernels = masquerade == "kernel"  # it lets out late segments of connections that ended
                findings.demand(
                    kernels or not strangers, f"dial {number} let out {', '.join(sorted(strangers))}"
                )
        return findings.end(
            lab, f"served {took[0]:.2f} s after the first dial, {took[1]:.2f} s after the second"
        )


def _try(lab: Lab, dial: Dial, when: str, findings: Findings) -> float:
    client = lab.topology.client1

    def seen() -> bool:
        return all(address_seen(client, SERVER2, kind, patience=0.5) == str(dial.address) for kind in KINDS)

    try:
        took = wait_until(seen, "hosts to be served", WITHIN_S)
    except TimeoutError:
        findings.demand(False, f"{when}: seen as {address_seen(client, SERVER2)}")
        return 0.0
    client.ip("route flush cache")
    findings.demand(ping(client, SERVER2, "-s", "3000", count=1).received, f"{when}: no large ping")
    told = ping(client, SERVER2, "-M", "do", "-s", "1450", count=1).said
    findings.demand(f"mtu = {MTU}" in told.replace("mtu=", "mtu = "), f"{when}: no 'fragmentation needed'")
    client.ip("route flush cache")
    try:
        carried = upload(client, SERVER2, lab.payload)
        findings.demand(carried.sha256 == lab.payload.sha256, f"{when}: the upload was damaged")
    except ProgramError as error:
        findings.demand(False, f"{when}: the upload ended: {error}")
    return took


NEIGHBOUR = Neighbour(
    "dialled uplink",
    "the uplink may be away at the start and come back with another address; all traffic works each time",
    visit,
)
