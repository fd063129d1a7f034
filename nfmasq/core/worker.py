"""Netfilter queues and the one thread that serves them.

The thread spends its life in `Queue.serve`, which holds no GIL. A worker that ends without having been asked
to has failed: `failure` says why, and the daemon ends, for no thread empties its queue.
The kernel keeps numbers of its own about each queue; `kernel_queues` reads them.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from nfmasq._fastpath import Queue, QueueCounters, Table

KERNEL_QUEUES = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")
STOP_WITHIN_S = 2.0
NO_QUEUE = -1


class KernelQueue(NamedTuple):
    """The kernel's view of one queue.

    holder: the netlink port bound to it, most often a pid; waiting: packets without a verdict;
    dropped: because the queue was full; dropped_at_socket: because the socket's buffer was.
    """

    holder: int
    waiting: int
    dropped: int
    dropped_at_socket: int


def kernel_queues() -> dict[int, KernelQueue]:
    """The bound queues of this network namespace, by number.

    Raises FileNotFoundError when the kernel has no netfilter queues (or their module is not loaded).
    """
    queues = {}
    for line in KERNEL_QUEUES.read_text(encoding="ascii").splitlines():
        columns = [int(word) for word in line.split()]
        queues[columns[0]] = KernelQueue(columns[1], columns[2], columns[5], columns[6])
    return queues


class Worker:
    """Bound queues and their thread, known by the first one's number. Raises what `Queue` raises.

    whole: take super-packets whole, and send those that must be cut up first to `segment_queue`.
    """

    def __init__(
        self, number: int, table: Table, *, count: int = 1, whole: bool = True, segment_queue: int = NO_QUEUE
    ) -> None:
        self.number = number
        self.numbers = range(number, number + count)
        self.failure: str | None = None
        self._queue = Queue(number, table, count=count, gso=whole, segment_queue=segment_queue)
        self._asked_to_stop = False
        self._thread = threading.Thread(target=self._serve, name=f"queue-{number}", daemon=True)

    def start(self) -> None:
        """Begin to serve the queues."""
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._queue.serve()
        except Exception as error:  # whatever it was, no thread serves the queue any more
            self.failure = f"queue {self.number} failed: {error}"
        else:
            if not self._asked_to_stop:
                self.failure = f"queue {self.number} ended by itself"

    def seen_in(self, kernel: Mapping[int, KernelQueue]) -> KernelQueue:
        """What the kernel says of this worker's queues together; zeros for those it does not show."""
        shown = [kernel[number] for number in self.numbers if number in kernel]
        return KernelQueue(
            shown[0].holder if shown else 0,
            sum(queue.waiting for queue in shown),
            sum(queue.dropped for queue in shown),
            sum(queue.dropped_at_socket for queue in shown),
        )

    def counters(self) -> QueueCounters:
        """This worker's dealings with the kernel since its start."""
        return self._queue.counters()

    def stop(self) -> None:
        """Answer what was read, end the thread and let the queues go. Harmless when never started."""
        self._asked_to_stop = True
        self._queue.stop()
        if self._thread.ident is not None:
            self._thread.join(STOP_WITHIN_S)
        if not self._thread.is_alive():
            self._queue.close()
