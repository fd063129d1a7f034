"""The external addresses: are there any, does the router answer for a pool's, are they apart from inside?"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import TYPE_CHECKING, Any

from nfmasq.doctor.check import Check
from nfmasq.machine.interfaces import local_networks, read_uplink
from nfmasq.machine.overlap import overlaps

if TYPE_CHECKING:
    from nfmasq.config import Config


def external(config: "Config", interfaces: dict[str, dict[str, Any]]) -> Check:
    """An address of the interface's own, or a pool whose every address comes to the router.

    Packets for addresses outside the interface's networks come by a route of the next router. Packets for
    addresses inside them come only if the router answers ARP for these addresses: they must be its own, or
    have a local route.
    """
    name, nat = "external address", config.nat
    found = read_uplink(config.nat).external
    if not found:
        return Check(
            name,
            "fail",
            f"{nat.external} has no global IPv4 address: every packet will be dropped",
            f"wait for its DHCP or PPP, or ip address add ADDRESS/LENGTH dev {nat.external}",
        )
    silent = _unanswered(found, interfaces[nat.external]) if nat.addresses else []
    if silent:
        more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        networks = list(collapse_addresses(map(IPv4Network, silent)))
        return Check(
            name,
            "warn",
            f"{silent[0]}{more} of the pool lies in {nat.external}'s own network, and the router has no such "
            "address or local route: ARP for it stays unanswered",
            "; ".join(f"ip route add local {network} dev lo" for network in networks),
        )
    return Check(name, "ok", f"{found[0]}" + (f" and {len(found) - 1} more" if len(found) > 1 else ""))


def apart(config: "Config") -> Check:
    """Is no address both inside and outside (RFC 4787 REQ-7)?"""
    name, found = "inside and outside", list(overlaps(config.nat, read_uplink(config.nat)))
    if not found:
        return Check(name, "ok", "no address is on both sides")
    more = f", and {len(found) - 1} more like it" if len(found) > 1 else ""
    return Check(name, "warn", found[0].why + more, found[0].mend)


def _unanswered(pool: Iterable[IPv4Address], interface: dict[str, Any]) -> list[IPv4Address]:
    """What of the pool is on the interface's link, and not local to the router."""
    on_link = [
        IPv4Network((entry["local"], entry["prefixlen"]), strict=False)
        for entry in interface.get("addr_info", [])
        if entry["family"] == "inet"
    ]
    local = local_networks()
    return [address for address in pool if _in(address, on_link) and not _in(address, local)]


def _in(address: IPv4Address, networks: Iterable[IPv4Network]) -> bool:
    return any(address in network for network in networks)
