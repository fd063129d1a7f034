"""The file that sessions live in: a daemon that was killed recovers them when it starts.

What is stored: a page of header, then a record for every session the table may hold (`_hot/state/table.pxd`).
Who may write: the one process that has the file locked. What ends it: a reboot, for the times inside are of
that boot; it belongs on a tmpfs. After a reboot it is filled from the copy that the daemon before has saved
(`saved_sessions.py`). Until their times have been moved to this boot it bears no boot's id: a process killed
meanwhile leaves nothing that its successor would believe, and the copy.

The table writes only to records that are reserved: the file system has promised room for them. The file is
sparse, and a page that the file system cannot provide would end the process by SIGBUS. `reserve` goes ahead
of the table in steps, so what is never used takes no memory, and a large capacity costs nothing.
"""

import fcntl
import mmap
import os
from contextlib import suppress
from pathlib import Path

from nfmasq.core.saved_sessions import MAGIC as SAVED_MAGIC
from nfmasq.core.saved_sessions import save, take
from nfmasq.core.state_file import HEADER, LAYOUT, MAGIC, RECORD, boot_id, open_ours, stranger_with

__all__ = ["AHEAD", "HEADER", "LAYOUT", "MAGIC", "RECORD", "TOP_OFFSET", "Arena", "boot_id"]

TOP_OFFSET = 20
"""Where in the header the table keeps the highest record ever used."""

BOOT_OFFSET = HEADER.size - 16
NO_BOOT = bytes(16)

AHEAD = 65_536
"""Records that are reserved beyond the highest ever used. The half of them lasts while more are reserved."""

BESIDE = 128
"""Bytes of this process's memory that a session takes beside its record: mapping, host, and indexes."""


def _pages(records: int) -> int:
    """Pages of a file of so many records. Number 0 is none, and has a place."""
    return 1 + (RECORD * (records + 1) + mmap.PAGESIZE - 1) // mmap.PAGESIZE


def _records(size: int) -> int:
    """The highest record that lies wholly within so many bytes of the file."""
    return max(0, (size - mmap.PAGESIZE) // RECORD - 1)


def size_of(capacity: int) -> int:
    """Bytes of the file for this many sessions."""
    return _pages(capacity) * mmap.PAGESIZE


MEMORY_SHORT = "the memory of this machine, or of its control group, is short"
"""A shortage that a small machine has all its life."""


class Arena:
    """A mapped arena of `capacity` records, of which the first `reserved` may be used.

    path: its file, made when missing, or None for memory that ends with the process.
    memory: bytes this process may still take; sessions that do not fit in it are given up. None: any number.
    stored: records of an existing file that were taken over; those that are free are among them.
    saved: the copy to fill an empty file from, or one of another boot.
    copied: whether they are of that copy: their numbers are others than before.
    shift: seconds to add to the times of the records that were taken over; 0 but after a reboot.
    warning: which sessions of an existing file were given up and why, or "".
    shortage: why the last `reserve` got less than it should, or "".
    Raises what `open_ours` raises, OSError when the file cannot be mapped or has no room for a single record.
    """

    def __init__(
        self, path: str | None, capacity: int, memory: int | None = None, saved: str | None = None
    ) -> None:
        self.warning = self.shortage = ""
        self.stored = self.shift = 0
        self.copied = False
        self._saved = None if saved is None else Path(saved)
        self._boot = boot_id()
        self._capacity = capacity
        self._fd = -1
        size = _pages(capacity) * mmap.PAGESIZE
        if path is None:
            self.memory = mmap.mmap(-1, size)
            self.reserved = capacity
            self._write_header()
            return
        self._reserved_pages = 0
        self._fd = open_ours(path)
        try:
            self._take_over(memory)
            os.ftruncate(self._fd, size)
            self.reserve(self.stored, memory)
            self.reserve(self.stored + AHEAD, None if memory is None else memory - self.stored * BESIDE)
            if not self.reserved:
                raise OSError(None, f"no room for a single session: {self.shortage}")
            self.stored = min(self.stored, self.reserved)
            self.memory = mmap.mmap(self._fd, size)
        except BaseException:
            self.close()
            raise
        self._write_header()

    # Reserving ----------------------------------------------------------------------------------------------

    def reserve(self, records: int, memory: int | None = None) -> None:
        """Reserve room for the first `records` of the file, or for as many as there is room for.

        memory: bytes this process may still take. May take milliseconds; one thread at a time may call it.
        Memory without a file is all there from the start.
        """
        if self._fd < 0:
            return
        wanted = _pages(min(records, self._capacity))
        self.shortage = ""
        if memory is not None and records > self.stored:
            affordable = max(memory, 0) // (mmap.PAGESIZE // RECORD * (RECORD + BESIDE))
            if self._reserved_pages + affordable < wanted:
                self.shortage = MEMORY_SHORT
                wanted = max(self._reserved_pages + affordable, _pages(1))
        step = wanted - self._reserved_pages
        while step > 0:
            try:
                os.posix_fallocate(self._fd, self._reserved_pages * mmap.PAGESIZE, step * mmap.PAGESIZE)
            except OSError as error:  # try how much less there is room for
                self.shortage = error.strerror or str(error)
                step //= 2
            else:
                self._reserved_pages += step
                step = min(step, wanted - self._reserved_pages)
        self.reserved = min(_records(self._reserved_pages * mmap.PAGESIZE), self._capacity)

    # Taking over --------------------------------------------------------------------------------------------

    def _take_over(self, memory: int | None) -> None:
        """Set `stored` and `warning` by what the file is; without sessions, let it begin anew."""
        size = os.fstat(self._fd).st_size
        fault = self._fault(size) if size else ""
        if not size or fault:
            self.warning = f"its sessions are given up: {fault}" if fault else ""
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, self._header(), 0)
            if not self._fill():
                return
            size = os.fstat(self._fd).st_size
        found, told = self._found(size), HEADER.unpack(os.pread(self._fd, HEADER.size, 0))[4]
        self.stored = min(found, self._capacity)
        if told > found:
            self._warn(f"it is cut short: of {told} records {found} are there")
        if memory is not None and self.stored * BESIDE > memory:
            self._fit(max(memory, 0))
        lost = self._live(self.stored + 1, found)
        if lost:
            why = "memory is short" if self.stored < self._capacity else f"limits.sessions = {self._capacity}"
            self._warn(f"{lost} of its sessions are given up: {why}")
        os.ftruncate(self._fd, mmap.PAGESIZE + RECORD * (self.stored + 1))

    def _warn(self, what: str) -> None:
        self.warning = "; ".join(filter(None, (self.warning, what)))

    def _fill(self) -> bool:
        """Fill the new file from the copy, if its sessions live; their times are not of this boot yet."""
        if self._saved is None:
            return False
        taken = take(self._saved, self._fd)
        if taken.records or taken.warning:
            self.warning = taken.warning
        if not taken.records:
            os.ftruncate(self._fd, HEADER.size)
            return False
        self.copied, self.shift, self._boot = True, taken.shift, NO_BOOT
        os.pwrite(self._fd, self._header(taken.records), 0)
        return True

    def settle(self) -> None:
        """Say that all records have times of this boot, and remove the copy: its sessions live here now."""
        self._boot = boot_id()
        self.memory[BOOT_OFFSET : HEADER.size] = self._boot
        with suppress(OSError):
            if self._saved is not None and not stranger_with(self._saved, SAVED_MAGIC):
                self._saved.unlink()

    def save(self, path: str, top: int) -> int:
        """Save the live ones of the first `top` records; return how many. Raises OSError."""
        return save(Path(path), memoryview(self.memory), top)

    def _fault(self, size: int) -> str:
        """Why no session of the file of this size can be taken over, or ""."""
        if size < mmap.PAGESIZE:
            return "it is too short"
        _, layout, record, _, _, boot = HEADER.unpack(os.pread(self._fd, HEADER.size, 0))
        if (layout, record) != (LAYOUT, RECORD):
            return f"its layout is version {layout}, this is version {LAYOUT}"
        return "" if boot == self._boot else "it is from before the last reboot"

    def _found(self, size: int) -> int:
        """The highest record that was ever written to, by where the file's data ends."""
        end = at = 0
        while at < size:
            try:
                at = end = os.lseek(self._fd, os.lseek(self._fd, at, os.SEEK_DATA), os.SEEK_HOLE)
            except OSError:  # no data from here on
                break
        return _records(min(end, size))

    def _fit(self, memory: int) -> None:
        """Lower `stored` until the sessions fit: each needs BESIDE, and one that goes leaves its RECORD."""
        live = self._live(1, self.stored)
        affordable = (memory + live * RECORD) // (BESIDE + RECORD)
        while live > affordable:
            self.stored = self.stored * affordable // live
            live = self._live(1, self.stored)

    def _live(self, first: int, last: int) -> int:
        """How many of these records say that they are in use."""
        live, number = 0, first
        while number <= last:
            most = min(last + 1 - number, 1 << 15)
            data = os.pread(self._fd, RECORD * most, mmap.PAGESIZE + RECORD * number)
            if not data:
                break
            live += data[::RECORD].count(1)
            number += (len(data) + RECORD - 1) // RECORD
        return live

    def _header(self, top: int | None = None) -> bytes:
        stored = self.stored if top is None else top
        return HEADER.pack(MAGIC, LAYOUT, RECORD, self._capacity, stored, self._boot)

    def _write_header(self) -> None:
        self.memory[: HEADER.size] = self._header()

    def close(self) -> None:
        """Let go of the file and its lock; the sessions stay in it."""
        if self._fd >= 0:
            # The memory map has a descriptor of its own for the file, and the lock would stay with it.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = -1
