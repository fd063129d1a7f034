"""The file that sessions live in: a daemon that was killed recovers them when it starts.

What is stored: a page of header, then a record for every session the table may hold
(`_hot/state/table.pxd`). The file is sparse: records that were never used take no memory.
Who may write: the one process that has the file locked. What ends it: a reboot, for the times inside
are of that boot; it belongs on a tmpfs.
"""

import fcntl
import mmap
import os
import struct
from pathlib import Path

HEADER = struct.Struct("=8s I I I I 16s")
"""Magic, layout version, record size, capacity, highest record ever used, boot id; padded to a page."""

MAGIC = b"NFMASQ\r\n"
LAYOUT = 3
RECORD = 128
TOP_OFFSET = 20
"""Where in the header the table keeps the highest record ever used."""


def size_of(capacity: int) -> int:
    """Bytes of the file for this many sessions. Record 0 is never used."""
    return mmap.PAGESIZE + RECORD * (capacity + 1)


def boot_id() -> bytes:
    """The sixteen bytes the kernel names this boot by."""
    text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return bytes.fromhex(text.strip().replace("-", ""))


class Arena:
    """A mapped arena of `capacity` records.

    path: its file, made when missing, or None for memory that ends with the process.
    warning: why the sessions of an existing file were given up, or "".
    Raises BlockingIOError when another process holds the file, OSError when it cannot be made or mapped.
    """

    def __init__(self, path: str | None, capacity: int) -> None:
        self.warning = ""
        self._fd = -1
        size = size_of(capacity)
        if path is None:
            self.memory = mmap.mmap(-1, size)
            self._begin(capacity)
            return
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(self._fd).st_size
            self.warning = self._fault(found, capacity) if found else ""
            if found and self.warning:
                os.ftruncate(self._fd, 0)
            os.ftruncate(self._fd, size)
            self.memory = mmap.mmap(self._fd, size)
        except BaseException:
            os.close(self._fd)
            raise
        if found and not self.warning:
            self._write_header(capacity, self._header()[4])
        else:
            self._begin(capacity)

    def _header(self) -> tuple[bytes, int, int, int, int, bytes]:
        magic, layout, record, capacity, top, boot = HEADER.unpack_from(self.memory, 0)
        return magic, layout, record, capacity, top, boot

    def _begin(self, capacity: int) -> None:
        self._write_header(capacity, 0)

    def _write_header(self, capacity: int, top: int) -> None:
        HEADER.pack_into(self.memory, 0, MAGIC, LAYOUT, RECORD, capacity, top, boot_id())

    def _fault(self, size: int, capacity: int) -> str:
        """Why the file of this size cannot be taken over, or ""."""
        if size < mmap.PAGESIZE:
            return "it is too short"
        magic, layout, record, _, top, boot = HEADER.unpack(os.pread(self._fd, HEADER.size, 0))
        faults = {
            "it is no state file of nfmasq": magic != MAGIC,
            f"its layout is version {layout}, this is version {LAYOUT}": (layout, record) != (LAYOUT, RECORD),
            "it is from before the last reboot": boot != boot_id(),
            "it is cut short": size < size_of(top),
            f"it holds up to {top} sessions, limits.sessions allows {capacity}": top > capacity,
        }
        return next((fault for fault, is_so in faults.items() if is_so), "")

    def close(self) -> None:
        """Let go of the file and its lock; the sessions stay in it."""
        if self._fd >= 0:
            # The memory map has a descriptor of its own for the file, and the lock would stay with it.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = -1
