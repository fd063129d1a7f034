"""Processes that do the same work side by side and die with the one that made them, and their like."""

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def fork_each(count: int, work: Callable[[int], None]) -> None:
    """Let `count` children of this process each do work(number), and end."""
    parent = os.getpid()
    for number in range(count):
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            try:
                if os.getppid() == parent:
                    work(number)
            finally:
                os._exit(0)


def family_of(pid: int) -> Iterator[int]:
    """This process and every one below it."""
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listed.read_text(encoding="ascii").split():
            yield from family_of(int(child))
