"""What one host's attacks leave to another, by nfmasq and by MASQUERADE: `python -m perf.greedy`.

The router has its default configuration. The attacker's packets come by a packet socket, a group at a time.
Another host begins twenty sessions in the midst of the attack, and twenty after it. Each attack meets an
empty table.
"""

import time
from collections.abc import Iterator
from itertools import islice

from hardening.attacks import ATTACKS, Attack, fragments_without_the_rest
from hardening.ends import CLIENT, SERVER, Ends
from hardening.newcomers import begun

from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import Masquerade
from nfmasq.lab.wire import Wire

GROUP, PAUSE_S = 1000, 0.02
"""Packets at a time, and the rest after them: slow enough that no queue overflows."""
HALF = 20_000
ROUTERS: tuple[Masquerade, ...] = ("none", "kernel")


def _flood(wire: Wire, packets: Iterator[bytes], count: int) -> None:
    for _ in range(0, count, GROUP):
        for packet in islice(packets, GROUP):
            wire.send_ip(packet)
        time.sleep(PAUSE_S)


def _forget(lab: Lab) -> None:
    """Empty the table."""
    if lab.daemon is not None:
        lab.daemon.api("/v1/flush", "POST", {"all": True})
    else:
        lab.topology.router.run("conntrack", "-F")


def measure(lab: Lab, wire: Wire, attack: Attack) -> tuple[int, int]:
    """How many of twenty sessions begin meanwhile, and how many after the attack."""
    packets = attack(CLIENT, SERVER)
    _flood(wire, packets, HALF)
    meanwhile = begun(lab.topology.client2)
    _flood(wire, packets, 4 * HALF)
    after = begun(lab.topology.client2)
    _forget(lab)
    return meanwhile, after


def main() -> None:
    """Print a row an attack: nfmasq meanwhile and after, MASQUERADE meanwhile and after."""
    rows: dict[str, list[tuple[int, int]]] = {}
    for masquerade in ROUTERS:
        with Lab(masquerade=masquerade, megabytes=1) as lab, Ends(lab.topology):
            router = (lab.topology.router, "lan0")
            with Wire(lab.topology.client1, "eth0", router) as wire:
                for attack in (*ATTACKS, fragments_without_the_rest):
                    rows.setdefault(attack.__name__, []).append(measure(lab, wire, attack))
    for name, (ours, theirs) in rows.items():
        print(f"| {name.replace('_', ' ')} | {ours[0]}, {ours[1]} | {theirs[0]}, {theirs[1]} |")


if __name__ == "__main__":
    main()
