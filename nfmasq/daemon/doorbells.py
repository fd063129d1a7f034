"""Doorbells: they ring when the machine's links or rules change, so that the daemon looks sooner.

What is stored: the watches' sockets, and whether one rang since the last look. A doorbell tells that
something happened, never what: the daemon reads everything again. `close` ends them.
"""

import asyncio
import logging
from contextlib import suppress

from nfmasq.machine.watches import LinkWatch, RulesWatch

TICK_S = 1.0
"""The longest wait between two looks."""
COALESCE_S = 0.05
"""How long a doorbell waits for the next: changes come in bursts, and one look sees them all."""

log = logging.getLogger("nfmasq")


class Doorbells:
    """The doorbells of this network namespace. Made in a running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rang = asyncio.Event()
        self._watches: list[LinkWatch | RulesWatch] = []
        for kind in (LinkWatch, RulesWatch):
            try:
                watch = kind()
            except OSError as error:
                log.warning(
                    "no %s here (%s): changes are seen within a second all the same", kind.__name__, error
                )
                continue
            self._watches.append(watch)
            self._loop.add_reader(watch.fileno(), self._ring, watch)

    async def wait(self) -> None:
        """Return soon after a doorbell rang, and after TICK_S in any case."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rang.wait(), TICK_S)
            await asyncio.sleep(COALESCE_S)
        self._rang.clear()

    def close(self) -> None:
        """Listen no more."""
        for watch in self._watches:
            self._loop.remove_reader(watch.fileno())
            watch.close()

    def _ring(self, watch: LinkWatch | RulesWatch) -> None:
        watch.drain()
        self._rang.set()
