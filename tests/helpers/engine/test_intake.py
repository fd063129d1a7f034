"""How many bytes may wait for dialogues."""

from helpers.engine.bed import NEAR_PORT, Bed, Connection
from helpers.engine.here import HERE, HI


def test_bytes_that_wait_are_bounded_for_all_sessions_together(bed: Bed) -> None:
    bed.engine._verdicts.store.most = 10
    first, second = Connection(bed).open(), Connection(bed, near=NEAR_PORT + 1).open()
    assert first.say(0, HI + HERE[:8]) == HI
    assert second.say(0, HI + HERE[:8]) == HI + HERE[:8]
    assert first.say(0, HERE[8:], at=len(HI) + 8) != HERE[8:]
    assert bed.engine._verdicts.store.used == 0


def test_bytes_behind_gaps_leave_half_the_room_to_bytes_that_wait(bed: Bed) -> None:
    bed.engine._verdicts.store.most = 100
    one = Connection(bed).open()
    for at in range(20, 1020, 10):
        one.say(0, b"x" * 10, at=at)
    assert bed.engine._verdicts.store.used == 50
    other = Connection(bed, near=NEAR_PORT + 1).open()
    assert other.say(0, HI + HERE[:12]) == HI
    assert other.say(0, HERE[12:], at=len(HI) + 12).endswith(b"\r\n")
    assert bed.table.let == []
