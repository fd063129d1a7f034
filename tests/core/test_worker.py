"""The worker's thread, and what the kernel shows of its queue."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.behind import filled
from support.packets import udp
from support.router import CLIENT, OTHER_CLIENT, SERVER, policy

from nfmasq._fastpath import Queue, Table
from nfmasq.core.worker import Worker
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until
from nfmasq.machine.queues import kernel_queues

NUMBER = 100
MANY = 40_000
STEP = 1024
"""Sessions under one holding of the lock: WHEEL_STEP_IDLE."""
LONG_AGO_S = 10_000


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


def table_of_due_sessions() -> Table:
    """MANY sessions whose timers have run out, and room for more."""
    table = Table(None, 2 * MANY)
    table.configure(policy(sessions=2 * MANY, ports=((1024, 65_535),)))
    for number in range(MANY):
        table.translate(udp(CLIENT, 10_000 + number, SERVER, 80), now=int(time.monotonic()) - LONG_AGO_S)
    assert sum(table.gauges().sessions) == MANY
    return table


@contextmanager
def idle_worker(router: Namespace, table: Table) -> Iterator[Worker]:
    """A worker that gets no packets, while it works."""
    worker: Worker = router.call(Worker, NUMBER, table)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_a_worker_without_packets_ends_what_is_due_in_steps(router: Namespace) -> None:
    """In between it lets the lock go."""
    table = table_of_due_sessions()
    table.watch_lock()
    with idle_worker(router, table):
        wait_until(lambda: sum(table.gauges().sessions) == 0, "all to end", pause=0.001)
        assert table.lock_times().batches >= MANY // STEP


def test_a_worker_without_packets_takes_the_lock_once_a_turn_where_nothing_is_due(router: Namespace) -> None:
    table = Table(None, 64)
    table.configure(policy())
    table.watch_lock()
    with idle_worker(router, table) as worker:
        wait_until(lambda: worker.counters().beats > 3, "some turns")
    assert table.lock_times().batches <= worker.counters().beats


def test_packets_are_translated_between_the_steps_of_a_worker_without_packets(router: Namespace) -> None:
    """Another worker's, and not by luck: a lock that is taken again immediately leaves it next to none.

    The packets are of a second in which nothing is due, so that they end no session themselves.
    """

    def steps_with_packets() -> int:
        table = table_of_due_sessions()
        seen = set()
        with idle_worker(router, table):
            for number in range(MANY):
                packet = udp(OTHER_CLIENT, 1 + number % 500, SERVER, 80)
                table.translate(packet, now=int(time.monotonic()) - LONG_AGO_S)
                left = sum(table.gauges().sessions)
                seen.add(left // STEP)
                if left <= 500:
                    break
        return len(seen)

    def are_between_many() -> bool:
        return all(steps_with_packets() > MANY // STEP // 3 for _ in range(2))

    wait_until(are_between_many, "packets between many steps, twice")
