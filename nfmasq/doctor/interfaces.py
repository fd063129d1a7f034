"""The interfaces that the configuration names, their networks and their routes."""

from typing import TYPE_CHECKING, Any

from nfmasq.doctor.check import Check
from nfmasq.machine.interfaces import default_interfaces, read_uplink
from nfmasq.machine.sysctl import sysctl

if TYPE_CHECKING:
    from nfmasq.config import Config

_BRIDGING = {"bridge", "bond", "team"}


def interfaces(config: "Config", there: dict[str, dict[str, Any]], missing: list[str]) -> Check:
    """Are the configured interfaces there, none a port of a bridge, and up?

    there: as `read_interfaces` returns them. missing: the configured ones that are not among them.
    """
    name = "interfaces"
    if missing:
        here = ", ".join(sorted(there))
        return Check(
            name, "fail", f"{', '.join(missing)} does not exist", f"name one of {here} in the configuration"
        )
    for each in (*config.nat.internal, config.nat.external):
        master = there[each].get("master")
        if master and there.get(master, {}).get("linkinfo", {}).get("info_kind") in _BRIDGING:
            return Check(
                name,
                "fail",
                f"{each} is a port of {master}: the rules see packets come and go by {master}",
                f"name {master} in place of {each} in the configuration",
            )
    down = [
        each
        for each in (*config.nat.internal, config.nat.external)
        if there[each].get("operstate") not in {"UP", "UNKNOWN"}
    ]
    if down:
        return Check(
            name, "warn", f"{', '.join(down)} is down", f"ip link set {down[0]} up, and check its cable"
        )
    return Check(name, "ok", f"{', '.join(config.nat.internal)} and {config.nat.external} exist and are up")


def networks(config: "Config") -> Check:
    """Do the internal interfaces have a network?"""
    name = "internal networks"
    found = read_uplink(config.nat).internal
    if found:
        return Check(name, "ok", ", ".join(map(str, found)))
    interface = config.nat.internal[0]
    return Check(
        name,
        "fail",
        f"{', '.join(config.nat.internal)} has no IPv4 network: its hosts' packets are dropped as spoofed",
        f"ip address add 192.168.1.1/24 dev {interface}, or the network that you want",
    )


def default_route(config: "Config") -> Check:
    """Does a default route leave by the external interface?"""
    name, external = "default route", config.nat.external
    if external in default_interfaces():
        return Check(name, "ok", f"leaves by {external}")
    strict = max(int(sysctl(f"net/ipv4/conf/{each}/rp_filter") or 0) for each in ("all", external)) == 1
    why = f"none leaves by {external}: only hosts on that interface's own routes can be reached"
    if strict:
        why += "; strict rp_filter drops packets from all other hosts"
    return Check(name, "warn", why, f"ip route add default via GATEWAY dev {external}")
