"""Waiting for a condition, with a deadline: never a sleep and a hope."""

import os
import time
from collections.abc import Callable

SLOWNESS = "NFMASQ_LAB_SLOWNESS"
"""The variable that says how many times slower than usual this machine is, an emulator for example."""


def patient(seconds: float) -> float:
    """What takes so long elsewhere may take this long here."""
    return seconds * float(os.environ.get(SLOWNESS) or 1)


def wait_until(condition: Callable[[], object], what: str, patience: float = 5, pause: float = 0.02) -> float:
    """Ask again and again until `condition` holds; return how many seconds it took.

    Raises TimeoutError, which says `what` was waited for, after `patience` seconds of a usual machine.
    """
    patience = patient(patience)
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            raise TimeoutError(f"waited {patience} s for {what}")
        time.sleep(pause)
    return time.monotonic() - begin
