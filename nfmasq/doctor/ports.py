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
    span = f"{handed_out.first}-{handed_out.last}"
    if handed_out.first <= high and low <= handed_out.last:
        return Check(
            name,
            "warn",
            f"{span} overlaps the ports of the router's own connections, {low}-{high}",
            f'set nat.ports = "1024-{low - 1}"'
            if low > 1024
            else 'sysctl -w net.ipv4.ip_local_port_range="32768 60999"',
        )
    tcp, udp = local_ports(handed_out.first, handed_out.last)
    taken = f"; {len(tcp | udp)} of them are taken by local sockets and left alone" if tcp | udp else ""
    return Check(name, "ok", f"{span}, apart from the router's own {low}-{high}{taken}")
