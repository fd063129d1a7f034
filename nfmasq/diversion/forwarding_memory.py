"""The file that lists the interfaces whose forwarding is disabled, for the process after a killed one.

What is stored: the last complaint, so that the log has each once. The file has a title and a line for each
interface: its index and its name. One thread alone may call the methods. The file is replaced whole: a kill
or a full disk leaves the list of before. A list without interfaces has no file.

The file is never opened through a link. A file of another program is left alone; then a kill leaves
forwarding disabled. A file that ends within its title is ours: its writing was cut short.
"""

import errno
import logging
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_TITLE = "interfaces whose forwarding nfmasq disabled\n"
_LONGEST = 1 << 16
_DIGITS = 10
"""Of an index: the kernel's has 31 bits."""

log = logging.getLogger("nfmasq")


class ForwardingMemory:
    """The file at a path. None: nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._complaint = ""

    def read(self) -> dict[int, str]:
        """The names listed, by index; none where no file of ours can be read."""
        return dict(filter(None, map(_pair, _lines_of(self._path) or ())))

    def write(self, disabled: Mapping[int, str]) -> None:
        """List these. A failure is logged, and leaves the list of before."""
        if self._path is None:
            return
        lines = [f"{index} {name}" for index, name in disabled.items()]
        there = _lines_of(self._path)
        if lines and there == lines:
            return
        complaint = ""
        try:
            if there is None and os.path.lexists(self._path):
                complaint = "another program's file is there, move it away" if lines else ""
            elif lines:
                _replace(self._path, "".join(f"{line}\n" for line in (_TITLE.rstrip(), *lines)))
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            complaint = error.strerror or str(error)
        if complaint and complaint != self._complaint:
            log.warning("%s cannot be written (%s): a kill now leaves forwarding off", self._path, complaint)
        self._complaint = complaint


def _lines_of(path: Path | None) -> list[str] | None:
    """The file's lines after its title; None if it is none of ours."""
    if path is None:
        return None
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(number, encoding="utf-8", errors="replace") as file:
            found = os.fstat(number)
            owners = {os.geteuid(), path.parent.stat().st_uid}
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners:
                return None
            content = file.read(_LONGEST)
    except OSError:
        return None
    if _TITLE.startswith(content):
        return []
    return content.removeprefix(_TITLE).splitlines() if content.startswith(_TITLE) else None


def _replace(path: Path, content: str) -> None:
    """Write another file and put it in place of the one before. Raises OSError; then that one stays.

    One that a killed process was writing gives way. Where another program has put a file, that is an error.
    """
    new = path.with_name(f"{path.name}.new")
    if _lines_of(new) is not None:
        new.unlink()
    elif os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, f"{new} is in the way, move it away")
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(content)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def _pair(line: str) -> tuple[int, str] | None:
    index, _, name = line.partition(" ")
    return (int(index), name) if index.isdecimal() and len(index) <= _DIGITS else None
