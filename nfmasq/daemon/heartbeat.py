"""Finds workers that are stuck. Their loops count beats; a worker whose count did not grow is stuck.

What is stored: each worker's count at the last look. Only `beat` writes it. A stuck worker is a problem in
the status. The service manager then gets no sign of life, and its watchdog ends the daemon. The next daemon
recovers the sessions, while a stuck worker would keep its queues for ever.
"""

from collections.abc import Sequence

from nfmasq.core.worker import Worker


class Heartbeat:
    """Watches the beats of the workers. Looks must be half a second apart or more: an idle worker
    beats four times a second."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._last = {worker.number: -1 for worker in workers}
        self.stuck: tuple[int, ...] = ()

    def beat(self) -> bool:
        """Look once; True when every worker beat since the last look."""
        stuck = []
        for worker in self._workers:
            beats = worker.counters().beats
            if beats == self._last[worker.number]:
                stuck.append(worker.number)
            self._last[worker.number] = beats
        self.stuck = tuple(stuck)
        return not stuck

    def problems(self) -> list[str]:
        """A line for each stuck worker."""
        return [f"the worker of queue {number} is stuck" for number in self.stuck]
