"""What this process may do to the network (capabilities(7))."""

from pathlib import Path

NET_ADMIN, NET_RAW = 12, 13
"""CAP_NET_ADMIN and CAP_NET_RAW: their bits."""


def has(capability: int) -> bool:
    """Is it in the effective set of the thread that asks?"""
    for line in Path("/proc/thread-self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False
