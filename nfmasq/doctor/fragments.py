"""How large a flood of fragments the router bears, and how long the flood is felt (RFC 4787 REQ-14a).

The kernel puts fragments together before nfmasq sees them. A flood of fragments that never become a packet
fills the kernel's store. Then the kernel takes no fragment until it gives up the oldest, after ipfrag_time.
Whole packets pass.
"""

from nfmasq.doctor.check import Check
from nfmasq.machine.sysctl import sysctl

DEFAULT_STORE, DEFAULT_WAIT = 4 << 20, 30
"""Linux' own, in bytes and seconds."""

AMPLE_STORE, SHORT_WAIT = 64 << 20, 15
"""What a router under attack may spend. RFC 791 lets no host wait for less than 15 seconds."""

ORPHAN = 2504
"""Bytes the kernel counts for a lone fragment of 1400 (Linux 6.18)."""


def fragments() -> Check:
    """The kernel's store for fragments, and what fills it."""
    name = "fragments"
    store = int(sysctl("net/ipv4/ipfrag_high_thresh") or DEFAULT_STORE)
    wait = int(sysctl("net/ipv4/ipfrag_time") or DEFAULT_WAIT)
    rate = store // ORPHAN // max(wait, 1)
    why = f"the store is {store >> 10} KiB, for {wait} s: {rate} incomplete ones a second keep all others out"
    more = f"sysctl -w net.ipv4.ipfrag_high_thresh={AMPLE_STORE} net.ipv4.ipfrag_time={SHORT_WAIT}"
    if store < DEFAULT_STORE or wait > DEFAULT_WAIT:
        return Check(name, "warn", why, more)
    enough = store >= AMPLE_STORE and wait <= SHORT_WAIT
    return Check(name, "ok", why, "" if enough else f"only where such floods are likely: {more}")
