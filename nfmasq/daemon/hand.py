"""The daemon's hand: one thread that makes all changes of policy and rules, one after the other.

What is stored: the thread. The event loop hands it work and waits for the result; `close` ends it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Hand:
    """One thread for changes."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hand")

    async def do(self, work: Callable[[], T]) -> T:
        """Do this after all the work before it; return its result, or raise its error."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Finish the work that was handed over, and end the thread."""
        self._thread.shutdown()
