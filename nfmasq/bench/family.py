"""Processes that do the same work side by side and die with the one that made them, and their like."""

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class Child:
    """A process that does some work and then ends; it dies with the one that made it."""

    def __init__(self, work: Callable[[], None]) -> None:
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            try:
                if os.getppid() == parent:
                    work()
            finally:
                os._exit(0)

    def end(self) -> None:
        """Kill it, and wait until it is gone; once."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def fork_each(count: int, work: Callable[[int], None]) -> None:
    """Let `count` children of this process each do work(number), and end."""
    for number in range(count):
        Child(partial(work, number))


def family_of(pid: int) -> Iterator[int]:
    """This process and every one below it."""
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listed.read_text(encoding="ascii").split():
            yield from family_of(int(child))
