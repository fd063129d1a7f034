"""The kernel's settings below /proc/sys, as this network namespace has them."""

from pathlib import Path


def sysctl(key: str) -> str | None:
    """A setting's value, None where this kernel lacks it: sysctl("net/ipv4/ip_forward")."""
    try:
        return Path("/proc/sys", key).read_text(encoding="ascii").strip()
    except OSError:
        return None
