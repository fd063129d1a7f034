"""How long the control path keeps the workers from the table: `python -m perf.holds [SESSIONS]`.

Each call meets a table of its own, filled with sessions that have a mapping each. The clock is read as the
lock is taken and let go, so what waits for a processor meanwhile counts too: the best of RUNS counts.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from nfmasq._fastpath import Table
from nfmasq.core.policy import Limits, Policy, Uplink
from perf.memory import SESSIONS
from perf.table import EXTERNALS, FIRST_EXTERNAL, HOSTS, fill, new_table

_LATE = 10_000
"""Seconds after which every timer has run out."""

RUNS = 3
_PORTS = ((2000, 60_000),)


@dataclass(frozen=True)
class Holding:
    """What one call asked of the lock. times: how often it took it."""

    call: str
    times: int
    longest_ms: float


def _policy(sessions: int, first: int, **fields: object) -> Policy:
    external = tuple(FIRST_EXTERNAL + number for number in range(first, first + EXTERNALS))
    return Policy((Uplink.pool(*external),), (HOSTS,), limits=Limits(sessions), **fields)  # type: ignore[arg-type]


CALLS: dict[str, Callable[[Table, int], object]] = {
    "every address is lost": lambda table, sessions: table.configure(_policy(sessions, EXTERNALS)),
    "one address is lost": lambda table, sessions: table.configure(_policy(sessions, 1)),
    "other ports": lambda table, sessions: table.configure(_policy(sessions, 0, ports=_PORTS)),
    "flush": lambda table, _: table.flush(),
    "expire": lambda table, _: table.expire(int(time.monotonic()) + _LATE),
}


def measure(call: str, sessions: int) -> Holding:
    """Make the call on a table with so many sessions."""
    table = new_table(sessions)
    fill(table, range(sessions))
    table.watch_lock()
    CALLS[call](table, sessions)
    times = table.lock_times()
    return Holding(call, times.batches, times.longest_ns / 1e6)


def main() -> None:
    """Print a line a call."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS
    for call in CALLS:
        holding = min((measure(call, sessions) for _ in range(RUNS)), key=lambda run: run.longest_ms)
        print(f"{call:24} {holding.times:8} times, {holding.longest_ms:8.2f} ms at most", flush=True)


if __name__ == "__main__":
    main()
