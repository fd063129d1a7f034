"""A router with four sides, and its routes as `ip` and as a mirror tell them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nfmasq.lab.namespace import Namespace
from nfmasq.machine.mirror import Mirror

INSIDE = ("lan0", "lan1")
OUTSIDE = ("wan0", "wan1")


@contextmanager
def four_sides() -> Iterator[Namespace]:
    """lan0 and lan1 with private addresses, wan0 and wan1 with public ones; a default route by wan0."""
    with Namespace("router") as router:
        router.ip(
            *(f"link add {name} type bridge" for name in (*INSIDE, *OUTSIDE)),
            "address add 192.168.1.1/24 dev lan0",
            "address add 192.168.2.1/24 dev lan1",
            "address add 203.0.113.2/24 dev wan0",
            "address add 198.51.100.2/24 dev wan1",
            *(f"link set {name} up" for name in (*INSIDE, *OUTSIDE)),
            "route add default via 203.0.113.1 dev wan0",
        )
        yield router


def try_ip(router: Namespace, commands: list[str]) -> None:
    """Run `ip` commands of which some may fail."""
    router.run("ip", "-force", "-batch", "-", input="\n".join(commands) + "\n", check=False)


def asked(router: Namespace, *question: str) -> list[dict[str, Any]]:
    """The answer of `ip -json`."""
    answer: list[dict[str, Any]] = json.loads(router.run("ip", "-json", *question) or "[]")
    return answer


def routes_got(router: Namespace, destinations: list[str]) -> dict[str, dict[str, Any]]:
    """What `ip route get` says of each destination; those left out that it refuses."""
    said = router.run(
        "ip", "-force", "-json", "-batch", "-", check=False,
        input="".join(f"route get {each}\n" for each in destinations),
    )  # fmt: skip
    found = {}
    for line in said.splitlines():
        if line.startswith("["):
            for one in json.loads(line):
                found[one["dst"]] = one
    return found


def contents(mirror: Mirror) -> tuple[object, ...]:
    """Everything a mirror holds, so that two can be compared."""
    routes = {
        key: sorted(
            (
                (way.table, way.tos, way.priority),
                way.kind, way.scope, way.protocol, way.prefsrc, way.hops, way.nexthop, way.metrics,
            )
            for way in ways
        )
        for key, ways in mirror.routes.ways.items()
    }  # fmt: skip
    return mirror.links, mirror.addresses, mirror.nexthops, routes
