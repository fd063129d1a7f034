"""The router's interfaces with their kinds and states, for checks that are made once.

Nothing is stored. Every reading is made anew from the kernel by `ip -json`. What a daemon follows is in
`mirror`.
"""

import json
from ipaddress import IPv4Network
from typing import Any

from nfmasq.machine.programs import run


class InterfacesUnreadable(Exception):
    """`ip` fails; the message is one line and says what to do."""


def read_interfaces() -> dict[str, dict[str, Any]]:
    """Every interface by its name, as `ip -json address` tells it. Raises InterfacesUnreadable."""
    return {entry["ifname"]: entry for entry in _ip("-details", "address", "show")}


def local_networks() -> list[IPv4Network]:
    """Addresses and networks that are the router's own, for which it answers ARP.

    Raises InterfacesUnreadable.
    """
    return [
        IPv4Network(route["dst"]) for route in _ip("-4", "route", "show", "table", "all", "type", "local")
    ]


def default_interfaces() -> set[str]:
    """The interfaces a default route leaves by. Raises InterfacesUnreadable."""
    hops = [[route, *route.get("nexthops", [])] for route in _ip("-4", "route", "show", "default")]
    return {hop["dev"] for way in hops for hop in way if "dev" in hop}


def _ip(*question: str) -> list[dict[str, Any]]:
    answer = run("ip", "-json", *question)
    if not answer.good:
        raise InterfacesUnreadable(
            f"the interfaces cannot be read: {answer.complaint}; is iproute2 installed?"
        )
    return [entry for entry in json.loads(answer.output or "[]") if entry]
