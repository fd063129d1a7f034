"""The external ports that nfmasq hands out."""

from typing import TYPE_CHECKING

from nfmasq.doctor.check import Check
from nfmasq.machine.local_ports import local_ports, local_range

if TYPE_CHECKING:
    from nfmasq.config import Config


def ports(config: "Config") -> Check:
    """Are the ports handed out apart from those the kernel gives to the router's own connections?"""
    name, handed_out = "external ports", config.nat.ports
    low, high = local_range()
    span = ", ".join(map(str, handed_out))
    if any(ports.first <= high and low <= ports.last for ports in handed_out):
        return Check(
            name,
            "warn",
            f"{span} overlaps the ports of the router's own connections, {low}-{high}",
            f'set nat.ports = "1024-{low - 1}"'
            if low > 1024
            else 'sysctl -w net.ipv4.ip_local_port_range="32768 60999"',
        )
    tcp, udp = local_ports(handed_out[0].first, handed_out[-1].last)
    held = sum(1 for port in tcp | udp if any(ports.first <= port <= ports.last for ports in handed_out))
    taken = f"; {held} of them are taken by local sockets and left alone" if held else ""
    return Check(name, "ok", f"{span}, apart from the router's own {low}-{high}{taken}")
