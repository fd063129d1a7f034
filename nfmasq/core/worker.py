"""Netfilter queues and the one thread that serves them.

The thread spends its life in `Queue.serve`, which holds no GIL. A worker that ends without having been asked
to has failed: `failure` says why, and the daemon ends, for no thread empties its queue.
"""

import threading

from nfmasq._fastpath import Queue, QueueCounters, Table

STOP_WITHIN_S = 2.0
NO_QUEUE = -1


class Worker:
    """Bound queues and their thread, known by the first one's number. Raises what `Queue` raises.

    whole: take super-packets whole, and send those that must be cut up first to `segment_queue`.
    untaken_queue: the one of its queues that gets what the rules of others left.
    """

    def __init__(
        self,
        number: int,
        table: Table,
        *,
        count: int = 1,
        whole: bool = True,
        segment_queue: int = NO_QUEUE,
        untaken_queue: int = NO_QUEUE,
    ) -> None:
        self.number = number
        self.numbers = range(number, number + count)
        self.failure: str | None = None
        self._queue = Queue(
            number,
            table,
            count=count,
            gso=whole,
            segment_queue=segment_queue,
            untaken_queue=untaken_queue,
        )
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
