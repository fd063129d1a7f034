"""Whether the kernel forwards what an interface brings (net.ipv4.conf.*.forwarding). Nothing is stored.

It is read below /proc/sys and set by rtnetlink: a service may change its network, and yet not write there.
"""

import socket
import struct

from nfmasq.machine import netlink_request
from nfmasq.machine.netlink_request import NESTED, attribute
from nfmasq.machine.sysctl import sysctl

_SETLINK = 19
_LINK = struct.Struct("=BxHiII")
_IFLA_AF_SPEC, _IFLA_INET_CONF = 26, 1
_FORWARDING = 1
"""The number of this setting among an interface's (IPV4_DEVCONF_FORWARDING of linux/ip.h)."""


def forwards(name: str) -> bool:
    """Whether packets that come in by the interface may leave by another one."""
    return sysctl(f"net/ipv4/conf/{name}/forwarding") == "1"


def set_forwarding(interface: int, forwarding: bool) -> None:
    """Enable or disable that, by index. Raises OSError with the kernel's answer."""
    value = attribute(_FORWARDING, struct.pack("=I", forwarding))
    settings = attribute(_IFLA_INET_CONF | NESTED, value)
    of_ipv4 = attribute(socket.AF_INET | NESTED, settings)
    body = _LINK.pack(socket.AF_UNSPEC, 0, interface, 0, 0) + attribute(_IFLA_AF_SPEC | NESTED, of_ipv4)
    netlink_request.ask(_SETLINK, 0, body)
