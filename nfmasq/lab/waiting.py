"""Waiting for a condition, with a deadline: never a sleep and a hope."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str, patience: float = 5, pause: float = 0.02) -> float:
    """Ask again and again until `condition` holds; return how many seconds it took.

    Raises TimeoutError, which says `what` was waited for, after `patience` seconds.
    """
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            raise TimeoutError(f"waited {patience} s for {what}")
        time.sleep(pause)
    return time.monotonic() - begin
