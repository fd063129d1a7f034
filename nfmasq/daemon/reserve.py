"""Reserves room for sessions in the state file, ahead of the table.

What is stored: the thread, and why there is too little room, if so. The table rings when half of the room
ahead of it is used; the thread then reserves more, away from the packets' way. Where the file system is full,
or memory is short, the table is full at what it has: new sessions are refused, by `sessions_full`, and those
that live go on. The thread tries again every second. `close` ends it.
"""

import logging
import os
import select
import threading

from nfmasq._fastpath import Table
from nfmasq.core.arena import MEMORY_SHORT
from nfmasq.machine import memory

CROWDED = 0.8
"""The share of the room from which a shortage of memory is a problem. A small machine is well with less."""

AGAIN_S = 1.0
"""How long to wait for room that there was not."""

KEPT_BACK = 32 << 20
"""Bytes of memory that sessions leave to the remainder of the daemon, and to a list of them."""

KEPT_BACK_AT_START = KEPT_BACK // 2
"""Less: sessions that fitted before the daemon was killed shall fit again."""

log = logging.getLogger("nfmasq")


def memory_for_sessions() -> int | None:
    """Bytes that sessions may still take; None where the machine does not tell."""
    available = memory.available()
    return None if available is None else max(0, available - KEPT_BACK)


def memory_at_start() -> int | None:
    """As `memory_for_sessions`, for a start: half of what a small machine has at least."""
    available = memory.available()
    return None if available is None else max(available // 2, available - KEPT_BACK_AT_START)


class Reserver:
    """Reserves for one table, from `start()` to `close()`."""

    def __init__(self, table: Table, capacity: int) -> None:
        self._table = table
        self._capacity = capacity
        self._shortage = table.shortage
        if self._shortage:
            log.info("%s", self._told())
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="reserve", daemon=True)

    def start(self) -> None:
        """Begin to reserve."""
        self._thread.start()

    def problems(self) -> list[str]:
        """One line while the file system is full, or memory too short for the sessions there are."""
        crowded = sum(self._table.gauges().sessions) >= CROWDED * self._table.room
        waits = self._shortage == MEMORY_SHORT and not crowded
        return [self._told()] if self._shortage and not waits else []

    def _told(self) -> str:
        what = f"the state file has room for {self._table.room} of {self._capacity} sessions"
        return f"{what}: {self._shortage}; free some, or lower limits.sessions"

    def close(self) -> None:
        """End the thread. Before the table is closed."""
        if self._end < 0:
            return
        os.eventfd_write(self._end, 1)
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._end)
        self._end = -1

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        poll.register(self._table.room_fd, select.POLLIN)
        while True:
            ready = poll.poll(1000 * AGAIN_S if self._shortage else None)
            if any(descriptor == self._end for descriptor, _ in ready):
                return
            self._reserve()

    def _reserve(self) -> None:
        before = self._shortage
        self._shortage = self._table.reserve(memory_for_sessions())
        if self._shortage and not before:
            log.info("%s", self._told())
        elif before and not self._shortage:
            log.info("the state file has room again")
