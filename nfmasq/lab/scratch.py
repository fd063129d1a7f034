"""A directory that leaves no trace: a tmpfs of our own, mounted nowhere.

What is stored: one file descriptor, the mount. Files below it are reached through /proc/<our pid>/fd, by our
child programs and by an administrator in another terminal alike; when this process ends, however it ends, the
kernel lets the mount go with everything in it. Where the kernel refuses (seccomp, before 5.2), an ordinary
temporary directory does, which a crash would leave behind.
"""

import ctypes
import os
import tempfile
from pathlib import Path

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC = 1
_SET_STRING, _CREATE = 1, 6
_NOSUID_NODEV = 0x2 | 0x4

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int | bytes | None) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _mount_nowhere() -> int:
    context = _call(_FSOPEN, b"tmpfs", _CLOEXEC)
    try:
        _call(_FSCONFIG, context, _SET_STRING, b"mode", b"0700", 0)
        _call(_FSCONFIG, context, _CREATE, None, None, 0)
        return _call(_FSMOUNT, context, _CLOEXEC, _NOSUID_NODEV)
    finally:
        os.close(context)


class Scratch:
    """A context manager whose `path` is an empty directory, readable by root, gone at the end."""

    def __init__(self) -> None:
        self._mount = -1
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._mount = _mount_nowhere()
            self.path = Path(f"/proc/{os.getpid()}/fd/{self._mount}")
        except OSError:
            self._directory = tempfile.TemporaryDirectory(prefix="nfmasq-lab-")
            self.path = Path(self._directory.name)

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the directory go. Harmless when called twice."""
        if self._mount >= 0:
            os.close(self._mount)
            self._mount = -1
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
