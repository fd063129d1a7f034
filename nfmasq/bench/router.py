"""The program on the router of a bed: `python -m nfmasq.bench.router MODE WORKERS`.

MODE is accept, rewrite or translate. The program binds its queues, lays the daemon's own rules, prints
"ready", and serves until its input ends. Then it prints what it counted, as JSON.
"""

import json
import os
import sys
import threading

from nfmasq._fastpath import REASONS, Queue, QueueCounters, Table
from nfmasq.bench.bed import EXTERNAL, INTERNAL
from nfmasq.core.policy import Limits, Policy, Timeouts, Uplink
from nfmasq.core.queue_socket import QUEUES_EACH
from nfmasq.diversion import DiversionPlan, DiversionUnavailable, External, probe

FIRST_QUEUE = 100
CAPACITY = 1_000_000
LONG = Timeouts(udp=86_400)
"""No session ends during a run, whatever the run lasts."""


def main() -> None:
    """Serve one bed's router."""
    mode = sys.argv[1]
    run(mode, int(sys.argv[2]), new_table() if mode == "translate" else None)


def run(mode: str, workers: int, table: Table | None) -> None:
    """Serve until the input ends; where that is impossible, end with one line that says why."""
    try:
        _serve(mode, workers, table)
    except (OSError, DiversionUnavailable) as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)  # threads may be serving queues, and nothing is left to tidy


def divert(queues: int) -> None:
    """Lay the daemon's rules for so many queues, bound by now, and say that we are ready."""
    lay_rules(queues)
    print("ready", flush=True)


def lay_rules(queues: int) -> None:
    """Lay the daemon's rules for so many queues; what they divert is lost until the queues are bound."""
    policy = Policy((Uplink.pool(EXTERNAL),), (INTERNAL,))
    plan = DiversionPlan(
        internal=("lan0",),
        externals=(External("wan0", policy.addresses),),
        networks=policy.internal,
        ports=policy.ports,
        queues=(FIRST_QUEUE, queues),
    )
    probe().install(plan)


def new_table(sessions: int = CAPACITY) -> Table:
    """A table with room for so many sessions."""
    table = Table(None, sessions)
    table.configure(Policy((Uplink.pool(EXTERNAL),), (INTERNAL,), limits=Limits(sessions), timeouts=LONG))
    return table


def _serve(mode: str, workers: int, table: Table | None) -> None:
    if table is not None:
        table.watch_lock()
    each = 1 if mode == "accept" else QUEUES_EACH
    last = (
        FIRST_QUEUE + workers * each
    )  # as in the daemon: what the kernel must cut up first comes by this one
    numbers = range(FIRST_QUEUE, last, each)
    queues = [Queue(number, table, mode=mode, count=each, segment_queue=last) for number in numbers]
    queues.append(Queue(last, table, mode=mode, gso=False))
    threads = [threading.Thread(target=queue.serve) for queue in queues]
    for thread in threads:
        thread.start()
    divert(workers * each)
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
        for name in QueueCounters._fields
        if name != "beats"
    }
    if table is not None:
        counters, lock = table.counters(), table.lock_times()
        sums |= {"locked_ns": lock.held_ns, "waited_ns": lock.waited_ns}
        sums["sessions_created"] = sum(counters.created)
        sums["dropped"] = {
            reason: count for reason, count in zip(REASONS, counters.dropped, strict=True) if count
        }
    return sums


if __name__ == "__main__":
    main()
