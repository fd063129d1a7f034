"""The session table's file."""

import os
import shutil
from typing import TYPE_CHECKING

from nfmasq.core.arena import size_of
from nfmasq.doctor.check import Check
from nfmasq.machine.filesystems import filesystem

if TYPE_CHECKING:
    from nfmasq.config import Config


def state(config: "Config") -> Check:
    """Can the session table's file be written, does it lie in memory, and is there room for it?"""
    name, path = "state file", config.engine.state
    place = path.parent
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
        return Check(
            name, "fail", f"{place} is not writable", f"mkdir -p {path.parent}, or set another engine.state"
        )
    point, kind = filesystem(place.resolve())
    if kind not in {"tmpfs", "ramfs"}:
        return Check(
            name,
            "warn",
            f"{path} would lie on {kind} ({point}): the kernel writes every change of the table to the disk",
            "set engine.state to a file on a tmpfs, such as /run/nfmasq/state",
        )
    needed, free = size_of(config.limits.sessions), shutil.disk_usage(place).free
    if free < needed:
        return Check(
            name,
            "warn",
            f"{point} has {free >> 20} MiB free; {config.limits.sessions} sessions take {needed >> 20} MiB",
            f"mount -o remount,size=... {point}, or lower limits.sessions",
        )
    return Check(name, "ok", f"{path} on {kind}")
