"""What stands in the way of hairpinning: internal hosts that reach each other by an external address."""

from typing import TYPE_CHECKING

from nfmasq.diversion.foreign_marks import marks
from nfmasq.doctor.check import Check
from nfmasq.machine.sysctl import sysctl

if TYPE_CHECKING:
    from nfmasq.config import Config


def hairpinning(config: "Config") -> Check:
    """Do packets keep their mark between the two passes, and does the router stay in their way?"""
    name, nat = "hairpinning", config.nat
    if not nat.hairpinning:
        return Check(name, "ok", "is disabled")
    found = marks(nat.internal, nat.mark)
    if found.writing or found.reading:
        what = "overwrite" if found.writing else "look for"
        return Check(
            name,
            "warn",
            f"these rules {what} {nat.mark:#x}, the mark of hairpinned packets, which are then lost: "
            + "; ".join(found.writing or found.reading),
            (f"set nat.mark = {found.free:#x}, or " if found.free else "")
            + "give those rules a mask, or packets without a mark only: -m mark --mark 0, or meta mark 0",
        )
    telling = [each for each in nat.internal if _sends_redirects(each)]
    if telling and config.engine.diversion == "none":
        keys = " ".join(f"net.ipv4.conf.{each}.send_redirects=0" for each in ("all", *telling))
        return Check(
            name,
            "warn",
            f"the router's ICMP redirects show hosts on {', '.join(telling)} a way past the router",
            f"sysctl -w {keys}",
        )
    return Check(name, "ok", f"no rule of others touches {nat.mark:#x}, the mark of hairpinned packets")


def _sends_redirects(interface: str) -> bool:
    """Either setting makes the kernel send redirects: that of all interfaces, or the interface's own."""
    return any(sysctl(f"net/ipv4/conf/{each}/send_redirects") == "1" for each in ("all", interface))
