"""The kernel's connection tracking."""

from typing import TYPE_CHECKING

from nfmasq.doctor.check import Check
from nfmasq.machine.sysctl import sysctl

if TYPE_CHECKING:
    from nfmasq.config import Config


def conntrack(config: "Config") -> Check:
    """Where the kernel tracks connections, does it track as many as nfmasq has sessions?"""
    name = "connection tracking"
    most = int(sysctl("net/netfilter/nf_conntrack_max") or 0)
    used = int(sysctl("net/netfilter/nf_conntrack_count") or 0)
    if used and most < config.limits.sessions:
        return Check(
            name,
            "warn",
            f"the kernel tracks connections here, {most} at most, and drops the packets of more; "
            f"limits.sessions is {config.limits.sessions}",
            f"sysctl -w net.netfilter.nf_conntrack_max={config.limits.sessions}",
        )
    return Check(
        name, "ok", f"{used} connections tracked" if used else "the kernel tracks no connection here"
    )
