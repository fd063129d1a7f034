"""How large a flood of fragments the router bears, and for how long it is felt (RFC 4787 REQ-14a).

The kernel puts fragments together before nfmasq sees them. A flood of those that never become a packet fills
its store; then no fragment is taken until the oldest are given up, ipfrag_time later. Whole packets pass.
"""

from nfmasq.doctor.check import Check
from nfmasq.machine import kernel

DEFAULT_STORE, DEFAULT_WAIT = 4 << 20, 30
"""Linux' own, in bytes and seconds."""

AMPLE_STORE, SHORT_WAIT = 64 << 20, 15
"""What a router under attack may spend; RFC 791 has nobody wait for less than 15 seconds."""

ORPHAN = 2504
"""Bytes the kernel counts for a lone fragment of 1400 (Linux 6.18)."""


def fragments() -> Check:
    """The kernel's store for fragments, and what fills it."""
    name = "fragments"
    store = int(kernel.sysctl("net/ipv4/ipfrag_high_thresh") or DEFAULT_STORE)
    wait = int(kernel.sysctl("net/ipv4/ipfrag_time") or DEFAULT_WAIT)
    rate = store // ORPHAN // max(wait, 1)
    why = f"{store >> 10} KiB hold them for {wait} s: {rate} a second without their rest keep all others out"
    more = f"sysctl -w net.ipv4.ipfrag_high_thresh={AMPLE_STORE} net.ipv4.ipfrag_time={SHORT_WAIT}"
    if store < DEFAULT_STORE or wait > DEFAULT_WAIT:
        return Check(name, "warn", why, more)
    enough = store >= AMPLE_STORE and wait <= SHORT_WAIT
    return Check(name, "ok", why, "" if enough else f"only where such floods are likely: {more}")
