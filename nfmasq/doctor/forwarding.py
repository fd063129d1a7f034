"""Does the kernel forward packets?"""

from collections.abc import Iterable

from nfmasq.doctor.check import Check
from nfmasq.machine.sysctl import sysctl


def forwarding(interfaces: Iterable[str]) -> Check:
    """Does the kernel forward IPv4 packets, on every interface in question?"""
    name = "forwarding"
    if sysctl("net/ipv4/ip_forward") != "1":
        return Check(
            name,
            "fail",
            "net.ipv4.ip_forward is off",
            "sysctl -w net.ipv4.ip_forward=1, and the same in a file in /etc/sysctl.d",
        )
    off = [each for each in interfaces if sysctl(f"net/ipv4/conf/{each}/forwarding") == "0"]
    if off:
        keys = " ".join(f"net/ipv4/conf/{each}/forwarding=1" for each in off)
        return Check(name, "fail", f"forwarding is off on {', '.join(off)}", f"sysctl -w {keys}")
    return Check(name, "ok", "net.ipv4.ip_forward is on")
