"""The session table's file, and the copy of it for after a reboot."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nfmasq.core.arena import size_of
from nfmasq.core.saved_sessions import strangers
from nfmasq.core.state_file import stranger_at
from nfmasq.doctor.check import Check
from nfmasq.machine import memory
from nfmasq.machine.filesystems import filesystem

if TYPE_CHECKING:
    from nfmasq.config import Config


def state(config: "Config") -> Check:
    """Is the session table's file ours and writable, does it lie in memory, and is there room for it?"""
    name, path = "state file", config.engine.state
    if what := _stranger(path):
        return Check(
            name, "fail", f"{path} is {what}: nfmasq leaves it as it is", "move it away, or set engine.state"
        )
    place = _place(path)
    if not _is_writable(place):
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
    available = memory.available()
    if available is not None and available < needed:
        return Check(
            name,
            "warn",
            f"{available >> 20} MiB of memory are available; "
            f"{config.limits.sessions} sessions take {needed >> 20} MiB",
            "lower limits.sessions: sessions that find no memory are refused",
        )
    return Check(name, "ok", f"{path} on {kind}")


def saved(config: "Config") -> Check:
    """Can the daemon save the sessions where they outlast a reboot? Without the copy a reboot ends them."""
    name, path = "saved sessions", config.engine.saved
    for where, what in _strangers(path):
        return Check(
            name, "warn", f"{where} is {what}: nfmasq leaves it as it is", "move it away, or set engine.saved"
        )
    place = _place(path)
    if not _is_writable(place):
        return Check(
            name,
            "warn",
            f"{place} is not writable: a reboot ends the sessions",
            f"mkdir -p {path.parent}, or set another engine.saved",
        )
    point, kind = filesystem(place.resolve())
    if config.engine.written_saved and kind in {"tmpfs", "ramfs"}:
        return Check(
            name,
            "warn",
            f"{path} would lie on {kind} ({point}), which a reboot empties",
            "set engine.saved to a file on a disk, such as /var/lib/nfmasq/sessions",
        )
    return Check(name, "ok", f"{path} on {kind}")


def _place(path: Path) -> Path:
    """The directory of a file, or the next one above that is there."""
    place = path.parent
    while not place.exists():
        place = place.parent
    return place


def _is_writable(place: Path) -> bool:
    return os.access(place, os.W_OK | os.X_OK) and place.is_dir()


def _strangers(path: Path) -> list[tuple[Path, str]]:
    """What is where the daemon would write that it would leave as it is."""
    try:
        return strangers(path)
    except OSError:
        return []


def _stranger(path: Path) -> str:
    """What is at the path that the daemon would not open, or ""."""
    try:
        return stranger_at(os.fspath(path))
    except OSError:
        return ""
