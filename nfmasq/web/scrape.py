"""A scrape: everything the metrics read, taken once.

Nothing is counted here and nothing happens per packet. A scrape takes a snapshot of the integers of the
table, the workers and the helpers, and of the kernel's queue numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nfmasq._fastpath import Counters, Gauges, QueueCounters
from nfmasq.control.report import seen_by_kernel
from nfmasq.control.running import Running, Situation
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.machine.queues import KernelQueue, together
from nfmasq.runtime.helpers import Entry


class Queues(NamedTuple):
    """The queues of one worker: the first one's number, the worker's counters, the kernel's numbers."""

    number: int
    own: QueueCounters
    kernel: KernelQueue


@dataclass(frozen=True)
class Scrape:
    """The state of a running daemon at one moment."""

    counters: Counters
    gauges: Gauges
    recovered: int
    queues: Sequence[Queues]
    helpers: Mapping[str, tuple[Entry, HelperCounters]]
    expectations: int
    situation: Situation
    started: float


def scrape(running: Running) -> Scrape:
    """Take it now."""
    kernel = seen_by_kernel()
    counted = running.helpers.counters()
    return Scrape(
        counters=running.table.counters(),
        gauges=running.table.gauges(),
        recovered=running.table.recovered,
        queues=[
            Queues(worker.number, worker.counters(), together(kernel, worker.numbers))
            for worker in running.workers
        ],
        helpers={
            name: (entry, counted.get(name, HelperCounters()))
            for name, entry in sorted(running.helpers.entries.items())
        },
        expectations=running.helpers.expectations(),
        situation=running.situation(),
        started=running.started,
    )
