"""Stops forwarding from internal interfaces while the guard is away and there is no egress program.

Only forwarding by the interface itself is disabled; the router's own traffic goes on.

What is stored: the interfaces that this disabled, by index, with their names at that time; what the kernel
refused at the last call. `forwarding_memory` lists the interfaces from before the first is disabled until the
last is enabled. So the process after one that was killed enables them. One thread alone may call the methods.
An interface that did not forward is left alone, and one that is gone is forgotten.
"""

import errno
import logging
import socket
from collections.abc import Iterable
from pathlib import Path

from nfmasq.diversion.forwarding_memory import ForwardingMemory
from nfmasq.diversion.guard_rules import TABLE
from nfmasq.machine import nft_tables
from nfmasq.machine.forwarding import forwards, set_forwarding

log = logging.getLogger("nfmasq")


def memory_beside(state: Path) -> Path:
    """The file's path, for a daemon with this state file."""
    return state.with_name(f"{state.name}.forwarding")


class ForwardingStop:
    """Of one daemon. memory: the file's path; None: there is none."""

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = ForwardingMemory(memory)
        self._disabled: dict[int, str] = {}
        self._refused: dict[str, str] = {}
        self._refused_before: dict[str, str] = {}

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
        there = self._interfaces_for(False, (name for name in names if name not in self.stopped))
        found = {there[name]: name for name in names if name in there and forwards(name)}
        if not found:
            return
        self._memory.write(self._disabled | found)
        done = {index: name for index, name in found.items() if self._set(index, name, False)}
        self._disabled |= done
        self._memory.write(self._disabled)
        if done:
            log.info("forwarding from %s is stopped until the guard is back", ", ".join(done.values()))

    def resume(self) -> None:
        """Enable again what this disabled, and what an earlier process did if the interface has its name.

        What the kernel refuses stays disabled, and is a problem, until a later call succeeds.
        """
        there = self._interfaces_for(True, {*self.stopped, *self._memory.read().values()})
        if self._refused:
            return
        self._disabled = {
            index: name
            for index, name in self._disabled.items()
            if index in there.values() and not self._set(index, name, True)
        }
        self._memory.write(self._disabled)

    def _interfaces_for(self, forwarding: bool, names: Iterable[str]) -> dict[str, int]:
        """Every interface's index, by name, for a call that stops or enables forwarding from these.

        What an earlier process disabled counts as disabled by this one. Where the kernel does not tell the
        interfaces, there are none, and these are refused.
        """
        self._refused_before, self._refused = self._refused, {}
        try:
            there = _interfaces()
        except OSError as error:
            for name in names:
                self._refuse(name, forwarding, error)
            return {}
        earlier = {index: name for index, name in self._memory.read().items() if there.get(name) == index}
        self._disabled = earlier | self._disabled
        return there

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
        """Note a refusal. The log has it too: the guard may be back before the status is read."""
        why = error.strerror or str(error)
        problem = f"forwarding from {name} could not be stopped, and nothing guards it: {why}"
        if forwarding:
            problem = f"forwarding from {name} could not be enabled again: {why}"
        self._refused[name] = problem
        if problem != self._refused_before.get(name):
            log.error("%s", problem)


def _interfaces() -> dict[str, int]:
    """The interfaces' indexes by name. Raises OSError where the kernel does not tell."""
    return {name: index for index, name in socket.if_nameindex()}


def guard_stands() -> bool:
    """Is the guard's table there? Takes a system call, no program. False for a guard by iptables."""
    try:
        return nft_tables.is_there(TABLE)
    except OSError:
        return False
