"""The router's interfaces, addresses and routes as they are now.

Nothing is stored. Every reading is made anew from the kernel by `ip -json`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Any, Protocol

from nfmasq.core.limits import MOST_EXTERNAL_ADDRESSES, MOST_INTERNAL_NETWORKS, TooMany, require_room
from nfmasq.machine.programs import run

_WIDEST = 8
"""Wider networks are parts of a default route, as some tunnels write it."""


class Sides(Protocol):
    """Which interfaces are inside and outside, and the pool if there is one: [nat] of a configuration."""

    @property
    def internal(self) -> Sequence[str]: ...
    @property
    def external(self) -> str: ...
    @property
    def addresses(self) -> Sequence[IPv4Network]: ...


class UplinkMissing(Exception):
    """An interface the configuration names is not there, or has more networks than the core holds.

    The message is one line and says what to do.
    """


@dataclass(frozen=True)
class Uplink:
    """external: addresses the internal hosts may appear as, the first being the one for new mappings;
    internal: the networks behind the router, none inside another;
    outside: those on the external interface's side that have a route of their own, none inside another;
    index, mtu: of the external interface, which may be made anew under its old name. 0: not known."""

    external: tuple[IPv4Address, ...]
    internal: tuple[IPv4Network, ...]
    index: int = 0
    mtu: int = 0
    outside: tuple[IPv4Network, ...] = ()


def read_uplink(sides: Sides) -> Uplink:
    """The addresses and networks as they are now.

    External is the configured pool, else the primary global addresses of the external interface in the
    kernel's order, none being no error. Internal is what is connected to the internal interfaces or routed
    out by them.
    Raises UplinkMissing if an interface does not exist, cannot be read, or has more than the core holds.
    """
    interfaces = read_interfaces()
    for name in (*sides.internal, sides.external):
        if name not in interfaces:
            here = ", ".join(sorted(interfaces))
            raise UplinkMissing(
                f"interface {name} does not exist (there are: {here}); create it or name another"
            )
    if sides.addresses:
        external = [address for network in sides.addresses for address in network]
    else:
        external = [IPv4Address(entry["local"]) for entry in _global(interfaces[sides.external])]
    routes = _ip("-4", "route", "show", "table", "all", "type", "unicast")
    inside, outside = (
        [
            *(network for name in names for network in _connected(interfaces[name])),
            *_routed(routes, names),
        ]
        for names in (sides.internal, [sides.external])
    )
    addresses, networks = tuple(dict.fromkeys(external)), tuple(collapse_addresses(inside))
    try:
        require_room(f"external addresses on {sides.external}", len(addresses), MOST_EXTERNAL_ADDRESSES)
        require_room(
            f"internal networks on {', '.join(sides.internal)}", len(networks), MOST_INTERNAL_NETWORKS
        )
    except TooMany as error:
        raise UplinkMissing(f"{error}; summarise them") from None
    return Uplink(
        addresses,
        networks,
        index=interfaces[sides.external]["ifindex"],
        mtu=interfaces[sides.external]["mtu"],
        outside=tuple(collapse_addresses(each for each in outside if each.prefixlen >= _WIDEST)),
    )


def read_interfaces() -> dict[str, dict[str, Any]]:
    """Every interface by its name, as `ip -json address` tells it. Raises UplinkMissing if `ip` fails."""
    return {entry["ifname"]: entry for entry in _ip("-details", "address", "show")}


def _global(interface: dict[str, Any]) -> list[dict[str, Any]]:
    """An interface's primary addresses of global scope."""
    return [
        entry
        for entry in interface.get("addr_info", [])
        if entry.get("family") == "inet" and entry.get("scope") == "global" and not entry.get("secondary")
    ]


def _connected(interface: dict[str, Any]) -> list[IPv4Network]:
    """The networks of an interface's own addresses."""
    return [
        IPv4Network((entry.get("address", entry["local"]), entry["prefixlen"]), strict=False)
        for entry in _global(interface)
    ]


def _routed(routes: Iterable[dict[str, Any]], interfaces: Iterable[str]) -> list[IPv4Network]:
    """Networks with a route out by one of these interfaces, default routes left out."""
    found = []
    for route in routes:
        leaves_by = {route.get("dev"), *(hop.get("dev") for hop in route.get("nexthops", []))}
        if route["dst"] != "default" and leaves_by.intersection(interfaces):
            found.append(IPv4Network(route["dst"]))
    return [network for network in found if network.prefixlen > 0]


def local_networks() -> list[IPv4Network]:
    """Addresses and networks that are the router's own, for which it answers ARP. Raises UplinkMissing."""
    return [
        IPv4Network(route["dst"]) for route in _ip("-4", "route", "show", "table", "all", "type", "local")
    ]


def default_interfaces() -> set[str]:
    """The interfaces a default route leaves by. Raises UplinkMissing if `ip` fails."""
    hops = [[route, *route.get("nexthops", [])] for route in _ip("-4", "route", "show", "default")]
    return {hop["dev"] for way in hops for hop in way if "dev" in hop}


def _ip(*question: str) -> list[dict[str, Any]]:
    answer = run("ip", "-json", *question)
    if not answer.good:
        raise UplinkMissing(f"the interfaces cannot be read: {answer.complaint}; is iproute2 installed?")
    return [entry for entry in json.loads(answer.output or "[]") if entry]
