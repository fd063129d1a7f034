"""The copy of the sessions that a daemon leaves when it ends, for its successor after a reboot.

The state file lies in memory and its times are of one boot. The copy outlasts the boot, and bears the time of
day at which it was made: by it the successor knows how much older the sessions have become.

What is stored: a page of header, then the live records. Who writes: a daemon at its end. The copy is made as
`<name>.new` and moved into place. A daemon that is killed may leave its `<name>.new`, which the next one
removes. It knows the file by its magic, or by zeros in place of the header: an older version left those, and
a power loss may. What ends the copy: the next start, which takes the sessions over.
"""

import mmap
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nfmasq.core.state_file import LAYOUT, RECORD, NotOurs, boot_id, opened_to_read, stranger_with

MAGIC = b"NFMASQ\r\t"
HEADER = struct.Struct("=8s I I 16s Q q Q")
"""Magic, layout version, record size, boot id, records, time of day, and seconds of CLOCK_MONOTONIC."""

START = 4096
"""Where the records begin. In the state file it is a page, which is larger on some machines."""

LONGEST_S = 30 * 86400
"""No session has a longer timer: what was saved before that has ended."""

CLOCK_SET_S = 1_577_836_800
"""2020 began. A clock that shows less has not been set since the machine started."""

_AT_ONCE = 1 << 15
_FLAGS, _EXPECTED = 2, 1
"""Where a record has its flags, and the flag of an expectation: nfmasq/_hot/state/table.pxd."""


class Stamp(NamedTuple):
    """When the copy was made. boot: that boot's id. day: seconds of the time of day. uptime: of this boot."""

    boot: bytes
    day: int
    uptime: int

    @classmethod
    def now(cls) -> "Stamp":
        """By this machine's clocks."""
        return cls(boot_id(), int(time.time()), int(time.clock_gettime(time.CLOCK_MONOTONIC)))


class Unusable(Exception):
    """The copy cannot be taken over; the message says why."""


def age(saved: Stamp, now: Stamp) -> tuple[int, str]:
    """Seconds since the copy was made, and what to complain of the time of day, or "".

    At least the uptime has passed since the boot before. Where the clock says less, or was never set, the
    uptime is what counts: sessions then live as much longer as the reboot took.
    """
    if saved.boot == now.boot:
        return max(0, now.uptime - saved.uptime), ""
    passed = now.day - saved.day
    if saved.day < CLOCK_SET_S or now.day < CLOCK_SET_S or passed < now.uptime:
        return now.uptime, (
            f"the clock cannot be right, it was {_day(saved.day)} then and is {_day(now.day)} now: "
            f"their timers go on from {now.uptime} s ago, when this machine started"
        )
    return passed, ""


def _day(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
    except (OSError, OverflowError, ValueError):
        return f"second {seconds}"


# Saving -------------------------------------------------------------------------------------------------


def _new(path: Path) -> Path:
    """Where the copy is made, until it is whole."""
    return path.with_name(f"{path.name}.new")


def strangers(path: Path) -> list[tuple[Path, str]]:
    """What `save` would find in its way that is no copy of this user's. Raises OSError."""
    new = _new(path)
    found = [(path, stranger_with(path, MAGIC)), (new, stranger_with(new, MAGIC, blank=START))]
    return [(where, what) for where, what in found if what]


def save(path: Path, memory: memoryview, top: int) -> int:
    """Save the live ones of the first `top` records of an arena's memory; return how many. Raises OSError.

    Nothing is synced: whoever stops a machine syncs its disks, and a daemon that is only restarted is quick.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    for where, what in strangers(path):
        raise NotOurs(None, what, str(where))
    new = _new(path)
    new.unlink(missing_ok=True)
    count = 0
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(MAGIC.ljust(START, b"\0"))
            for records in _live(memory, top):
                count += file.write(records) // RECORD
            file.seek(0)
            file.write(_header(Stamp.now(), count))
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return count


def _live(memory: memoryview, top: int) -> Iterator[bytes]:
    """The live records, many at a time. No expectations: they name their control session by its number."""
    for first in range(1, top + 1, _AT_ONCE):
        last = min(first + _AT_ONCE, top + 1)
        data = bytes(memory[mmap.PAGESIZE :][RECORD * first : RECORD * last])
        told = list(zip(data[::RECORD], data[_FLAGS::RECORD], strict=True))
        yield b"".join(
            data[RECORD * at : RECORD * (at + 1)]
            for at, (live, flags) in enumerate(told)
            if live == 1 and not flags & _EXPECTED
        )


def _header(stamp: Stamp, count: int) -> bytes:
    return HEADER.pack(MAGIC, LAYOUT, RECORD, stamp.boot, count, stamp.day, stamp.uptime)


# Taking over --------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """What was taken over. records: how many. shift: seconds to add to their times. warning: or ""."""

    records: int
    shift: int
    warning: str


NOTHING = Taken(0, 0, "")


def take(path: Path, fd: int) -> Taken:
    """Copy the records that were saved at `path` to an arena's file, from number 1 on."""
    name = f"the sessions saved in {path}"
    try:
        source = opened_to_read(path, MAGIC)
    except FileNotFoundError:
        return NOTHING
    except NotOurs as error:
        return NOTHING._replace(warning=f"{name} are given up: it is {error.strerror}")
    except OSError as error:
        return NOTHING._replace(warning=f"{name} cannot be read: {error.strerror}")
    try:
        return _taken(source, fd, name)
    except Unusable as unusable:
        return NOTHING._replace(warning=f"{name} are given up: {unusable}")
    except OSError as error:
        return NOTHING._replace(warning=f"{name} are given up: {error.strerror}")
    finally:
        os.close(source)


def _taken(source: int, fd: int, name: str) -> Taken:
    count, stamp = _read_header(source)
    now = Stamp.now()
    passed, complaint = age(stamp, now)
    if passed > LONGEST_S:
        days = passed // 86400
        return NOTHING._replace(warning=f"{name} have ended: by the clock that was {days} days ago")
    _copy(source, count, fd)
    return Taken(count, now.uptime - passed - stamp.uptime, complaint and f"{name}: {complaint}")


def _read_header(source: int) -> tuple[int, Stamp]:
    start = os.pread(source, HEADER.size, 0)
    if len(start) < HEADER.size:
        raise Unusable("it is too short")
    _, layout, record, boot, told, day, uptime = HEADER.unpack(start)
    if (layout, record) != (LAYOUT, RECORD):
        raise Unusable(f"its layout is version {layout}, this is version {LAYOUT}")
    found = max(0, os.fstat(source).st_size - START) // RECORD
    if told > found:
        raise Unusable(f"it is cut short: of {told} records {found} are there")
    return told, Stamp(boot, day, uptime)


def _copy(source: int, count: int, fd: int) -> None:
    for first in range(0, count, _AT_ONCE):
        data = os.pread(source, RECORD * min(_AT_ONCE, count - first), START + RECORD * first)
        at = mmap.PAGESIZE + RECORD * (first + 1)
        while data:
            written = os.pwrite(fd, data, at)
            data, at = data[written:], at + written
