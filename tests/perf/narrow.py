"""A router with a share of one processor, and another processor for the sender.

Where sender and router have a processor each, no sender can offer several times what the router takes: a
packet that finds the queue full has cost the kernel nearly as much as one that is delivered. So the router's
program is kept to one processor and shares it with BALLAST programs that only compute.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from nfmasq.bench.bed import Bed
from nfmasq.bench.family import Child
from nfmasq.bench.reading import BenchError

BALLAST = 3


@contextmanager
def narrowed(bed: Bed) -> Iterator[int]:
    """The router's program has a share of a processor meanwhile; the number of one for the sender."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise BenchError("one processor for the sender and one for the router are needed")
    sender, router = processors[0], processors[-1]
    with ExitStack() as stack:
        for _ in range(BALLAST):
            stack.callback(Child(partial(_compute, router)).end)
        stack.callback(_keep, bed.router_tasks(), set(processors))
        _keep(bed.router_tasks(), {router})
        yield sender


def _keep(tasks: list[int], processors: set[int]) -> None:
    for task in tasks:
        os.sched_setaffinity(task, processors)


def _compute(processor: int) -> None:
    os.setsid()  # the scheduler may share processors among sessions, as the router's program is one
    os.sched_setaffinity(0, {processor})
    while True:
        pass
