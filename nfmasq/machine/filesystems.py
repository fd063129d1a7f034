"""On which kind of file system a path lies."""

from pathlib import Path


def filesystem(path: Path) -> tuple[str, str]:
    """The mount point a path lies on, and its kind: ("/run", "tmpfs")."""
    best = ("/", "unknown")
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4]
        # A later line covers an earlier one with the same mount point.
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, after.split()[0])
    return best
