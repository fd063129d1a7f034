"""How much memory this process may still take: of the machine, and of its control group."""

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")

_UNLIMITED = 1 << 60
"""Version 1 writes a number near 2^63 for no limit."""

_FILES = {
    "": ("memory.max", "memory.current", "inactive_file", "active_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file"),
}
"""By the hierarchy, of cgroup version 2 or 1: limit, use, and the names of the page cache in memory.stat."""


def available() -> int | None:
    """Bytes that can be had without swapping or being killed for it; None where the machine tells nothing."""
    known = [left for left in (_of_machine(), *_of_groups()) if left is not None]
    return max(0, min(known)) if known else None


def _of_machine() -> int | None:
    for line in _text(MEMINFO).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return None


def _of_groups() -> list[int | None]:
    """What each control group with a limit has left, from this process's own to the root."""
    left = []
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        kind = "memory" if "memory" in controllers.split(",") else controllers
        if kind not in _FILES:
            continue
        group = Path(path.lstrip("/"))
        for each in (group, *group.parents):
            left.append(_of_group(GROUPS / kind / each, *_FILES[kind]))
    return left


def _of_group(place: Path, limit: str, current: str, *cached: str) -> int | None:
    """Limit less use, where page cache does not count: the kernel takes it back before it kills."""
    most, used = _text(place / limit).strip(), _text(place / current).strip()
    if not most.isdigit() or not used.isdigit() or int(most) >= _UNLIMITED:
        return None
    counts = dict(line.split() for line in _text(place / "memory.stat").splitlines())
    return int(most) - int(used) + sum(int(counts.get(name, 0)) for name in cached)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
