"""The beats of workers: a worker whose loop stands still is a problem."""

from collections.abc import Iterator

import pytest
from support.behind import filled

from nfmasq.core.worker import Worker
from nfmasq.daemon.heartbeat import Heartbeat
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

NUMBER = 100


@pytest.fixture
def worker(router: Namespace) -> Iterator[Worker]:
    """A worker bound to a queue of the router, not yet started."""
    made: Worker = router.call(Worker, NUMBER, filled())
    yield made
    made.stop()


def test_a_running_worker_beats_and_a_still_one_is_stuck(worker: Worker) -> None:
    heartbeat = Heartbeat([worker])
    heartbeat.beat()
    assert not heartbeat.beat()
    assert heartbeat.problems() == [f"the worker of queue {NUMBER} is stuck"]
    worker.start()
    wait_until(heartbeat.beat, "the worker to beat", patience=2)
    assert heartbeat.problems() == []
