"""What stands in the way of internal hosts that speak with each other by an external address."""

from typing import TYPE_CHECKING

from nfmasq.diversion.foreign_marks import mark_changes
from nfmasq.doctor.check import Check
from nfmasq.machine import kernel

if TYPE_CHECKING:
    from nfmasq.config import Config


def hairpinning(config: "Config") -> Check:
    """Does the mark stay on packets between their two passes, and does the router keep itself in between?"""
    name, nat = "hairpinning", config.nat
    if not nat.hairpinning:
        return Check(name, "ok", "is off")
    found = mark_changes(set(nat.internal))
    if found:
        return Check(
            name,
            "warn",
            f"these rules overwrite the mark of hairpinned packets, which are then lost: {'; '.join(found)}",
            "let them match packets without a mark only: -m mark --mark 0, or meta mark 0",
        )
    telling = [each for each in nat.internal if _sends_redirects(each)]
    if telling and config.engine.diversion == "none":
        keys = " ".join(f"net.ipv4.conf.{each}.send_redirects=0" for each in ("all", *telling))
        return Check(
            name,
            "warn",
            f"the router tells hosts on {', '.join(telling)} of a way past it (ICMP redirects)",
            f"sysctl -w {keys}",
        )
    return Check(name, "ok", "no rule takes the mark of hairpinned packets")


def _sends_redirects(interface: str) -> bool:
    """The kernel takes the setting for all interfaces or the interface's own, whichever is on."""
    return any(kernel.sysctl(f"net/ipv4/conf/{each}/send_redirects") == "1" for each in ("all", interface))
