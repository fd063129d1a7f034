"""What workers spend at the table's lock, as benches ask for it."""

from support.packets import udp
from support.router import CLIENT, SERVER, Router

PACKET = udp(CLIENT, 40000, SERVER, 53)


def test_nothing_is_measured_unless_asked() -> None:
    router = Router()
    router.out(PACKET)
    assert router.table.lock_times() == (0, 0, 0, 0)


def test_every_batch_is_measured_from_then_on() -> None:
    router = Router()
    router.table.watch_lock()
    for _ in range(3):
        router.out(PACKET)
    times = router.table.lock_times()
    assert times.batches == 3
    assert times.held_ns >= times.longest_ns > 0
    assert 0 <= times.waited_ns < times.held_ns + 3_000_000_000
