"""Calls from the LAN to a forwarded port by the external address, between many other sessions."""

import socket
import time
from typing import Any

from nfmasq.lab.lab import Lab
from nfmasq.lab.probes import seen_as
from nfmasq.lab.topology import CLIENT1, EXTERNAL, INTERNAL, SERVER2

CALLED = 8088
_BURST = 500


def forward() -> dict[str, Any]:
    """The configuration: port CALLED leads to client1."""
    return {"forward": [{"protocol": "tcp", "external_port": CALLED, "to": f"{CLIENT1}:80"}]}


def hairpin_rules() -> tuple[str, ...]:
    """The same for the kernel, with the MASQUERADE that brings answers back to it."""
    return (
        f"-t nat -A PREROUTING -d {EXTERNAL} -p tcp --dport {CALLED} -j DNAT --to {CLIENT1}:80",
        f"-t nat -A POSTROUTING -o lan0 -s {INTERNAL} -d {CLIENT1} -p tcp --dport 80 -j MASQUERADE",
    )


def calls_lost(lab: Lab, calls: int, between: int = 0) -> int:
    """How many calls of client2 to the forwarded port fail; `between` sessions begin before each."""
    lost = 0
    for _ in range(calls):
        many_sessions(lab, between)
        lost += seen_as(lab.topology.client2, EXTERNAL, "tcp", port=CALLED, patience=0.9) is None
    return lost


def many_sessions(lab: Lab, count: int) -> None:
    """Client1 begins this many UDP sessions to server2, in bursts that no queue is too short for."""

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(True)
            for number in range(count):
                sender.sendto(b"x", (str(SERVER2), 9000 + number % 50_000))
                if number % _BURST == _BURST - 1:
                    time.sleep(0.005)

    lab.topology.client1.call(send)
