"""The program on the router of a bed: `python -m nfmasq.bench.router accept|rewrite|translate QUEUES`.

It binds its queues, lays the daemon's own rules, prints "ready", and serves until its input ends; then it
prints what it counted, as JSON.
"""

import json
import os
import sys
import threading

from nfmasq._fastpath import REASONS, Queue, Table
from nfmasq.bench.bed import EXTERNAL, INTERNAL
from nfmasq.diversion import DiversionPlan, DiversionUnavailable, probe
from nfmasq.policy import Policy

FIRST_QUEUE = 100
CAPACITY = 1_000_000


def main() -> None:
    """Serve one bed's router."""
    try:
        _serve(sys.argv[1], int(sys.argv[2]))
    except (OSError, DiversionUnavailable) as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)  # threads may be serving queues, and nothing is left to tidy


def divert(queues: int) -> None:
    """Lay the daemon's rules for so many queues, bound by now, and say that we are ready."""
    policy = Policy((EXTERNAL,), (INTERNAL,))
    plan = DiversionPlan(
        internal=("lan0",),
        external="wan0",
        addresses=policy.external,
        networks=policy.internal,
        ports=policy.ports,
        queues=(FIRST_QUEUE, queues),
    )
    probe().install(plan)
    print("ready", flush=True)


def _serve(mode: str, count: int) -> None:
    table = None
    if mode == "translate":
        table = Table(None, CAPACITY)
        table.configure(Policy((EXTERNAL,), (INTERNAL,)))
    queues = [Queue(FIRST_QUEUE + number, table, mode=mode) for number in range(count)]
    threads = [threading.Thread(target=queue.serve) for queue in queues]
    for thread in threads:
        thread.start()
    divert(count)
    sys.stdin.read()
    for queue in queues:
        queue.stop()
    for thread in threads:
        thread.join()
    print(json.dumps(_counted(queues, table)), flush=True)


def _counted(queues: list[Queue], table: Table | None) -> dict[str, object]:
    """Sums over the queues, and why the table dropped packets."""
    each = [queue.counters() for queue in queues]
    sums: dict[str, object] = {
        name: sum(getattr(counters, name) for counters in each)
        for name in ("packets", "batches", "lost", "overruns", "refused")
    }
    if table is not None:
        counters = table.counters()
        sums["sessions_created"] = sum(counters.created)
        sums["dropped"] = {
            reason: count for reason, count in zip(REASONS, counters.dropped, strict=True) if count
        }
    return sums


if __name__ == "__main__":
    main()
