"""May this process change the network?"""

from nfmasq.doctor.check import Check
from nfmasq.machine import capabilities

AS_ROOT = "run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_BPF"


def privileges() -> Check:
    """CAP_NET_ADMIN for queues and rules; CAP_NET_RAW for ICMP errors and legacy iptables."""
    name = "privileges"
    if not capabilities.has(capabilities.NET_ADMIN):
        return Check(name, "fail", "this process lacks CAP_NET_ADMIN", AS_ROOT)
    if not capabilities.has(capabilities.NET_RAW):
        return Check(
            name,
            "warn",
            "this process lacks CAP_NET_RAW: no ICMP refusals are sent, and legacy iptables fails",
            AS_ROOT,
        )
    return Check(name, "ok", "this process has CAP_NET_ADMIN and CAP_NET_RAW")
