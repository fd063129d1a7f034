"""Opens the state file. A file of ours is opened; whatever else is at its path stays untouched.

Ours is a regular file with one name that belongs to the user of this process, and that is empty or begins as
a state file does. A path may come from a configuration with a slip in it, and a table written over another
program's file destroys that file.
"""

import fcntl
import os
import stat
import struct
from pathlib import Path

HEADER = struct.Struct("=8s I I I I 16s")
"""Magic, layout version, record size, capacity, highest record ever used, boot id; padded to a page."""

MAGIC = b"NFMASQ\r\n"
LAYOUT = 4
RECORD = 128

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotOurs(OSError):
    """Something else is at the path of the state file; strerror says what, as "a directory"."""


def boot_id() -> bytes:
    """The sixteen bytes the kernel names this boot by."""
    text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return bytes.fromhex(text.strip().replace("-", ""))


def open_ours(path: str) -> int:
    """The descriptor of the file at `path`, made when missing, and locked.

    Raises NotOurs for anything that is no state file of ours, BlockingIOError when another process holds it,
    and OSError when it cannot be opened or made.
    """
    fd = _opened(path)
    try:
        status = os.fstat(fd)
        if what := _stranger(status, fd):
            raise _not_ours(path, what)
        if status.st_uid != os.geteuid():
            raise _not_ours(path, f"a file of user {status.st_uid}, and nfmasq runs as user {os.geteuid()}")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _opened(path: str) -> int:
    """Opened without following a link. The kind comes first: to open a device may already act on it."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        what = _kind(os.lstat(path))
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    if what:
        raise _not_ours(path, what)
    return os.open(path, flags)


def stranger_at(path: str) -> str:
    """What is at `path` that is no state file of any user, or "". Raises OSError where it cannot be read.

    It is only looked at.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ""
    if what := _kind(status):
        return what
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return _stranger(os.fstat(fd), fd)
    finally:
        os.close(fd)


def stranger_with(path: Path, magic: bytes, blank: int = 0) -> str:
    """What is at `path` that is no file of this user which begins with `magic`, or ""; no file is none.

    blank: it may also begin with so many zeros, or have fewer bytes, all of them zeros. 0: it may not.
    """
    try:
        os.close(opened_to_read(path, magic, blank))
    except FileNotFoundError:
        return ""
    except NotOurs as error:
        return error.strerror or ""
    return ""


def opened_to_read(path: Path, magic: bytes, blank: int = 0) -> int:
    """The descriptor of a file of this user that begins with `magic`, never through a link.

    blank: as for `stranger_with`.

    Raises NotOurs for anything else that is there, and OSError.
    """
    if what := _kind(os.lstat(path)):
        raise _not_ours(str(path), what)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if what := _kind(status):
            raise _not_ours(str(path), what)
        if status.st_uid != os.geteuid():
            raise _not_ours(str(path), f"a file of user {status.st_uid}")
        begins = os.pread(fd, max(len(magic), blank), 0)
        if begins and not begins.startswith(magic) and (not blank or begins.strip(b"\0")):
            raise _not_ours(str(path), "another program's file")
    except BaseException:
        os.close(fd)
        raise
    return fd


def _not_ours(path: str, what: str) -> NotOurs:
    return NotOurs(None, what, path)


def _kind(status: os.stat_result) -> str:
    """What it is if it is no regular file, or ""."""
    kind = stat.S_IFMT(status.st_mode)
    return "" if kind == stat.S_IFREG else _KINDS.get(kind, "no regular file")


def _stranger(status: os.stat_result, fd: int) -> str:
    if what := _kind(status):
        return what
    if status.st_nlink > 1:
        return f"a file with {status.st_nlink} names (hard links)"
    if status.st_size and not _begins_as_ours(os.pread(fd, HEADER.size, 0)):
        return "no state file of nfmasq"
    return ""


def _begins_as_ours(start: bytes) -> bool:
    """By its magic; or by all else of its header, which a damaged magic leaves as it was."""
    if start.startswith(MAGIC):
        return True
    if len(start) < HEADER.size:
        return False
    _, layout, record, _, _, boot = HEADER.unpack(start)
    return (layout, record, boot) == (LAYOUT, RECORD, boot_id())
