"""What the machine must be able to do, whatever the configuration."""

import errno
from collections.abc import Iterable

from nfmasq.diversion import DiversionUnavailable, probe
from nfmasq.diversion import guard as guarding
from nfmasq.doctor.check import Check
from nfmasq.machine import kernel

_AS_ROOT = "run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW"


def privileges() -> Check:
    """CAP_NET_ADMIN for queues and rules; CAP_NET_RAW for ICMP errors and legacy iptables."""
    name, held = "privileges", kernel.capabilities()
    if not held >> kernel.CAP_NET_ADMIN & 1:
        return Check(name, "fail", "this process lacks CAP_NET_ADMIN", _AS_ROOT)
    if not held >> kernel.CAP_NET_RAW & 1:
        return Check(
            name,
            "warn",
            "this process lacks CAP_NET_RAW: refused hosts are not told, and legacy iptables fails",
            _AS_ROOT,
        )
    return Check(name, "ok", "CAP_NET_ADMIN and CAP_NET_RAW are there")


def queues() -> Check:
    """Does the kernel give out netfilter queues?"""
    name = "netfilter queues"
    try:
        number = kernel.bind_a_queue()
    except PermissionError:
        return Check(name, "fail", "the kernel does not let this process bind a queue", _AS_ROOT)
    except OSError as error:
        lacking = error.errno in {errno.EINVAL, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP}
        mend = "modprobe nfnetlink_queue, or use a kernel with CONFIG_NETFILTER_NETLINK_QUEUE"
        return Check(
            name, "fail", f"a queue cannot be bound: {error.strerror or error}", mend if lacking else _AS_ROOT
        )
    return Check(name, "ok", f"queue {number} could be bound and let go")


def diversion(wanted: str) -> Check:
    """Can rules send packets to the queues, and by which program?"""
    name = "diversion"
    try:
        found = probe(wanted).name
    except DiversionUnavailable as error:
        why, _, mend = str(error).rpartition("; ")
        return Check(name, "fail", why, mend)
    if found == "none":
        return Check(
            name,
            "warn",
            "engine.diversion is none: the rules that divert packets are yours to lay",
            'set engine.diversion = "auto" to have them laid',
        )
    return Check(name, "ok", f"by {found}")


def guard() -> Check:
    """Can untranslated packets be stopped when the diversion is gone?"""
    name = "guard"
    try:
        found = guarding.backend()
    except DiversionUnavailable as error:
        why, _, mend = str(error).rpartition("; ")
        return Check(name, "fail", why, mend)
    if found == "iptables":
        return Check(
            name,
            "warn",
            "only a chain in iptables' mangle table, which whoever flushes that table removes as well",
            "apt install nftables, for a guard with a table of its own",
        )
    return Check(name, "ok", "an nft table of its own")


def forwarding(interfaces: Iterable[str]) -> Check:
    """Does the kernel forward IPv4 packets, on every interface in question?"""
    name = "forwarding"
    if kernel.sysctl("net/ipv4/ip_forward") != "1":
        return Check(
            name,
            "fail",
            "net.ipv4.ip_forward is off",
            "sysctl -w net.ipv4.ip_forward=1, and the same in a file in /etc/sysctl.d",
        )
    off = [each for each in interfaces if kernel.sysctl(f"net/ipv4/conf/{each}/forwarding") == "0"]
    if off:
        mend = " ".join(f"net/ipv4/conf/{each}/forwarding=1" for each in off)
        return Check(name, "fail", f"forwarding is off on {', '.join(off)}", f"sysctl -w {mend}")
    return Check(name, "ok", "net.ipv4.ip_forward is on")
