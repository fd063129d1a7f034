"""The interfaces that the configuration names, their networks and their routes."""

from typing import TYPE_CHECKING, Any

from nfmasq.doctor.check import Check
from nfmasq.machine.interfaces import default_interfaces
from nfmasq.machine.surroundings import Surroundings
from nfmasq.machine.sysctl import sysctl

if TYPE_CHECKING:
    from nfmasq.config import Config

_BRIDGING = {"bridge", "bond", "team"}


def interfaces(config: "Config", there: dict[str, dict[str, Any]]) -> Check:
    """Are the configured interfaces there, none a port of a bridge, and up?

    there: as `read_interfaces` returns them. While one is away, the others are served.
    """
    name = "interfaces"
    configured = (*config.nat.internal, *config.nat.external)
    missing = [each for each in configured if each not in there]
    present = [each for each in configured if each in there]
    if missing:
        here = ", ".join(sorted(there))
        alone = not set(config.nat.internal) & set(present) or not set(config.nat.external) & set(present)
        return Check(
            name,
            "fail" if alone else "warn",
            f"{', '.join(missing)} does not exist",
            f"name one of {here} in the configuration, or wait until it comes",
        )
    for each in present:
        master = there[each].get("master")
        if master and there.get(master, {}).get("linkinfo", {}).get("info_kind") in _BRIDGING:
            return Check(
                name,
                "fail",
                f"{each} is a port of {master}: the rules see packets come and go by {master}",
                f"name {master} in place of {each} in the configuration",
            )
    down = [each for each in present if there[each].get("operstate") not in {"UP", "UNKNOWN"}]
    if down:
        return Check(
            name, "warn", f"{', '.join(down)} is down", f"ip link set {down[0]} up, and check its cable"
        )
    return Check(name, "ok", f"{', '.join(present)} exist and are up")


def networks(config: "Config", surroundings: Surroundings) -> Check:
    """Do the internal interfaces have a network?"""
    name = "internal networks"
    found, public = surroundings.internal, surroundings.untranslated
    if found:
        asides = f"; not translated: {', '.join(map(str, public))}" if public else ""
        return Check(name, "ok", ", ".join(map(str, found)) + asides)
    interface = config.nat.internal[0]
    return Check(
        name,
        "fail",
        f"{', '.join(config.nat.internal)} has no IPv4 network: its hosts' packets are dropped as spoofed",
        f"ip address add 192.168.1.1/24 dev {interface}, or the network that you want",
    )


def default_route(config: "Config") -> Check:
    """Does a default route leave by an external interface?"""
    name, leaves_by = "default route", default_interfaces()
    good = [each for each in config.nat.external if each in leaves_by]
    if good:
        return Check(name, "ok", f"leaves by {', '.join(good)}")
    external = config.nat.external[0]
    strict = max(int(sysctl(f"net/ipv4/conf/{each}/rp_filter") or 0) for each in ("all", external)) == 1
    why = f"none leaves by {external}: only hosts on that interface's own routes can be reached"
    if strict:
        why += "; strict rp_filter drops packets from all other hosts"
    return Check(name, "warn", why, f"ip route add default via GATEWAY dev {external}")
