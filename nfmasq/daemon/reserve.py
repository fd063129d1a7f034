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
from nfmasq.machine import memory

AGAIN_S = 1.0
"""How long to wait for room that there was not."""

KEPT_BACK = 32 << 20
"""Bytes of memory that sessions leave to the remainder of the daemon, and to a list of them."""

KEPT_BACK_AT_START = KEPT_BACK // 2
"""Less: sessions that fitted before the daemon was killed shall fit again."""

log = logging.getLogger("nfmasq")


def memory_for_sessions(kept_back: int = KEPT_BACK) -> int | None:
    """Bytes that sessions may still take; None where the machine does not tell."""
    available = memory.available()
    return None if available is None else max(0, available - kept_back)


class Reserver:
    """Reserves for one table, from `start()` to `close()`."""

    def __init__(self, table: Table, capacity: int) -> None:
        self._table = table
        self._capacity = capacity
        self._shortage = table.shortage
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="reserve", daemon=True)

    def start(self) -> None:
        """Begin to reserve."""
        self._thread.start()

    def problems(self) -> list[str]:
        """One line while there is too little room."""
        if not self._shortage:
            return []
        return [
            f"the state file has room for {self._table.room} of {self._capacity} sessions: {self._shortage}; "
            "free some, or lower limits.sessions"
        ]

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
            log.warning("degraded: %s", self.problems()[0])
        elif before and not self._shortage:
            log.info("mended: the state file has room again")
