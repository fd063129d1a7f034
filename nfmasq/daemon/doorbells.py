"""Doorbells: descriptors that are readable when the machine's links, routes or rules changed.

What is stored: the descriptors that are listened to, and whether one rang since the last wait. A doorbell
that rang is not heard again before the next wait: its owner reads it meanwhile, in another thread. `close`
ends it.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

TICK_S = 1.0
"""The longest wait between two looks."""
COALESCE_S = 0.02
"""How long a doorbell waits for the next: changes come in bursts, and one look sees them all."""


class Doorbells:
    """The doorbells of a daemon. Made in a running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rang = asyncio.Event()
        self._heard: set[int] = set()

    async def wait(self, descriptors: Iterable[int]) -> None:
        """Return soon after one of them rang, and after TICK_S in any case."""
        self._rang.clear()
        for descriptor in descriptors:
            self._heard.add(descriptor)
            self._loop.add_reader(descriptor, self._ring, descriptor)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rang.wait(), TICK_S)
            await asyncio.sleep(COALESCE_S)
        self.close()

    def close(self) -> None:
        """Listen no more."""
        for descriptor in self._heard:
            self._loop.remove_reader(descriptor)
        self._heard.clear()

    def _ring(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        self._heard.discard(descriptor)
        self._rang.set()
