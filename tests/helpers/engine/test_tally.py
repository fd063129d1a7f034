"""What is counted of a helper."""

import time

from helpers.engine.bed import Bed, Connection, counted
from helpers.engine.here import HERE, HI


def test_what_it_cost_is_counted(bed: Bed, connection: Connection) -> None:
    began = time.perf_counter()
    connection.say(0, HI + HERE)
    counters = counted(bed)
    assert 0 < counters.seconds < time.perf_counter() - began + 1
    assert (counters.seen, counters.rewritten, counters.sessions) == (1, 1, 1)
    assert counters.by_result() == {"seen": 1, "rewritten": 1, "refused": 0, "error": 0}
