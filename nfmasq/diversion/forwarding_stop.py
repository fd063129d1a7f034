"""Stops forwarding from internal interfaces while the guard is away and there is no egress program.

Only forwarding by the interface itself is disabled; the router's own traffic goes on.

What is stored: the interfaces that this disabled, by index, with their names at that time; what the kernel
refused at the last call. A file has the interfaces from before the first is disabled until the last is
enabled. So a process that is killed meanwhile leaves word for the next. One thread alone may call the
methods. An interface that did not forward is left alone, and one that is gone is forgotten.

The file is created where none was, and is never opened through a link. A file of another program is left
alone; then a kill meanwhile leaves forwarding disabled.
"""

import errno
import logging
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nfmasq.diversion.guard_rules import TABLE
from nfmasq.machine import nft_tables
from nfmasq.machine.forwarding import forwards, set_forwarding

_TITLE = "interfaces whose forwarding nfmasq disabled\n"
_LONGEST = 1 << 16


log = logging.getLogger("nfmasq")


def memory_beside(state: Path) -> Path:
    """The file's path, for a daemon with this state file."""
    return state.with_name(f"{state.name}.forwarding")


class ForwardingStop:
    """Of one daemon. memory: the file's path; None: there is none."""

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._disabled: dict[int, str] = {}
        self._refused: dict[str, str] = {}

    @property
    def stopped(self) -> tuple[str, ...]:
        """The interfaces whose forwarding is disabled, by name."""
        return tuple(self._disabled.values())

    def problems(self) -> list[str]:
        """What is stopped, and what the kernel refused: a line each."""
        found = list(self._refused.values())
        if stopped := ", ".join(name for name in self.stopped if name not in self._refused):
            found.append(f"forwarding from {stopped} is stopped until the guard is back")
        return found

    def stop(self, names: Iterable[str]) -> None:
        """Disable forwarding for those that are there and forward. What the kernel refuses is a problem."""
        names = tuple(names)
        self._refused = {}
        try:
            there = _interfaces()
        except OSError as error:
            for name in names:
                self._refuse(name, False, error)
            return
        found = {there[name]: name for name in names if name in there and forwards(name)}
        if not found:
            return
        self._remember(self._disabled | found)
        done = {index: name for index, name in found.items() if self._set(index, name, False)}
        self._disabled |= done
        if done != found:
            self._remember(self._disabled)
        if done:
            log.info("forwarding from %s is stopped until the guard is back", ", ".join(done.values()))

    def resume(self) -> None:
        """Enable again what this disabled, and what an earlier process did if the interface has its name.

        What the kernel refuses stays disabled, and is a problem, until a later call succeeds.
        """
        self._refused = {}
        try:
            there = {index: name for name, index in _interfaces().items()}
        except OSError as error:
            for name in self.stopped:
                self._refuse(name, True, error)
            return
        found = {index: name for index, name in _pairs(self._lines() or []) if there.get(index) == name}
        stopped = {**found, **self._disabled}
        self._disabled = {
            index: name
            for index, name in stopped.items()
            if index in there and not self._set(index, name, True)
        }
        self._remember(self._disabled)

    def _set(self, index: int, name: str, forwarding: bool) -> bool:
        """Return whether the interface forwards as it should, or is gone. A refusal is noted."""
        try:
            set_forwarding(index, forwarding)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return forwarding
            self._refuse(name, forwarding, error)
            return False
        return True

    def _refuse(self, name: str, forwarding: bool, error: OSError) -> None:
        problem = f"forwarding from {name} could not be stopped, and nothing guards it: {error.strerror}"
        if forwarding:
            problem = f"forwarding from {name} could not be enabled again: {error.strerror}"
        self._refused[name] = problem

    def _remember(self, disabled: dict[int, str]) -> None:
        """Have the file list these; where there are none, there is no file."""
        self._forget()
        if self._memory is None or not disabled:
            return
        lines = "".join(f"{index} {name}\n" for index, name in disabled.items())
        try:
            number = os.open(self._memory, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(_TITLE + lines)
        except OSError as error:
            log.warning("%s cannot be written (%s): a kill now leaves forwarding off", self._memory, error)

    def _lines(self) -> list[str] | None:
        """The file's lines after its title; None if it is none of ours."""
        if self._memory is None:
            return None
        try:
            number = os.open(self._memory, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(number, encoding="utf-8", errors="replace") as file:
                found = os.fstat(number)
                owners = {os.geteuid(), self._memory.parent.stat().st_uid}
                if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners:
                    return None
                content = file.read(_LONGEST)
        except OSError:
            return None
        return content.removeprefix(_TITLE).splitlines() if content.startswith(_TITLE) else None

    def _forget(self) -> None:
        if self._memory is not None and self._lines() is not None:
            with suppress(OSError):
                self._memory.unlink()


def _interfaces() -> dict[str, int]:
    """The interfaces' indexes by name. Raises OSError where the kernel does not tell."""
    return {name: index for index, name in socket.if_nameindex()}


def _pairs(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for index, _, name in (line.partition(" ") for line in lines):
        if index.isdecimal():
            yield int(index), name


def guard_stands() -> bool:
    """Is the guard's table there? Takes a system call, no program. False for a guard by iptables."""
    try:
        return nft_tables.is_there(TABLE)
    except OSError:
        return False
