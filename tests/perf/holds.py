"""How long the control path keeps the workers from the table: `python -m perf.holds [SESSIONS]`.

Each call meets a table of its own, filled with sessions that have a mapping each; some meet it after a change
of the port range or a restart, which leave pools unfilled. The clock is read as the
lock is taken and let go, so what waits for a processor meanwhile counts too: the best of RUNS counts.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from nfmasq._fastpath import Table
from nfmasq.core.arena import AHEAD
from nfmasq.core.policy import Limits, Policy, Uplink
from perf.memory import SESSIONS
from perf.table import EXTERNALS, FIRST_EXTERNAL, HOSTS, MEMORY, fill, new_table

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


def _filled(sessions: int, path: str | None = None) -> Table:
    table = new_table(sessions, path=path)
    for first in range(0, sessions, AHEAD // 2):
        fill(table, range(first, min(first + AHEAD // 2, sessions)))
        table.reserve()
    return table


def _with_other_ports(sessions: int) -> Table:
    """A table whose pools are to be filled anew."""
    table = _filled(sessions)
    _other_ports(table, sessions)
    return table


def _restarted(sessions: int) -> Table:
    """The next daemon's table, whose pools have not been filled."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        path = f"{place}/state"
        _filled(sessions, path).close()
        return new_table(sessions, path=path)


def _other_ports(table: Table, sessions: int) -> None:
    table.configure(_policy(sessions, 0, ports=_PORTS))


def _flush(table: Table, _: int) -> None:
    table.flush()


def _expire(table: Table, _: int) -> None:
    table.expire(int(time.monotonic()) + _LATE)


Made = Callable[[int], Table]
Call = Callable[[Table, int], object]

CALLS: dict[str, tuple[Made, Call]] = {
    "every address is lost": (_filled, lambda table, sessions: table.configure(_policy(sessions, EXTERNALS))),
    "one address is lost": (_filled, lambda table, sessions: table.configure(_policy(sessions, 1))),
    "other ports": (_filled, _other_ports),
    "flush": (_filled, _flush),
    "expire": (_filled, _expire),
    "ports, then flush": (_with_other_ports, _flush),
    "ports, then expire": (_with_other_ports, _expire),
    "restart, then flush": (_restarted, _flush),
    "restart, then expire": (_restarted, _expire),
}


def measure(call: str, sessions: int) -> Holding:
    """Make the call on a table with so many sessions."""
    make, ask = CALLS[call]
    table = make(sessions)
    assert sum(table.gauges().sessions) == sessions
    table.watch_lock()
    ask(table, sessions)
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
