"""The worker's thread, and what the kernel shows of its queue."""

from collections.abc import Iterator

import pytest
from support.behind import filled

from nfmasq._fastpath import Queue
from nfmasq.core.worker import Worker
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until
from nfmasq.machine.queues import kernel_queues

NUMBER = 100


@pytest.fixture
def worker(router: Namespace) -> Iterator[Worker]:
    """A worker bound to a queue of the router, not yet started."""
    made: Worker = router.call(Worker, NUMBER, filled())
    yield made
    made.stop()


def test_the_kernel_shows_the_queue_while_it_is_bound(worker: Worker, router: Namespace) -> None:
    seen = router.call(kernel_queues)
    assert set(seen) == {NUMBER}
    assert seen[NUMBER].waiting == seen[NUMBER].dropped == seen[NUMBER].dropped_at_socket == 0
    assert seen[NUMBER].holder > 0


def test_stopping_lets_the_queue_go_and_is_no_failure(worker: Worker, router: Namespace) -> None:
    worker.start()
    wait_until(lambda: worker.counters().beats > 0, "the first beat")
    worker.stop()
    assert worker.failure is None
    router.call(lambda: Queue(NUMBER, None, mode="accept")).close()


def test_a_worker_that_never_started_lets_its_queue_go_too(worker: Worker, router: Namespace) -> None:
    worker.stop()
    assert router.call(kernel_queues) == {}


def test_a_worker_that_ends_by_itself_has_failed(worker: Worker) -> None:
    worker.start()
    wait_until(lambda: worker.counters().beats > 0, "the first beat")
    worker._queue.stop()  # as if the core gave up
    wait_until(lambda: worker.failure, "the failure to be told")
    assert worker.failure == f"queue {NUMBER} ended by itself"
