"""A dialogue that fails ends the helper on its session alone."""

import pytest

from helpers.engine.bed import NEAR_PORT, Bed, Connection, counted, payload_of
from helpers.engine.here import ALSO, HERE, HI


@pytest.mark.parametrize("line", [b"RAISE\r\n", b"ASTRAY\r\n", b"FLOOD\r\n"])
def test_a_helper_that_fails_leaves_the_session_and_no_other(
    bed: Bed, connection: Connection, line: bytes
) -> None:
    before = connection.say(0, HI + HERE)
    assert connection.say(0, line + ALSO, at=len(HI + HERE)) == line + ALSO
    at = len(HI + HERE + line + ALSO)
    (later,) = connection.send(0, ALSO, at=at)
    assert payload_of(later) == ALSO
    assert connection.heard(0, later) == len(before + line + ALSO)
    assert counted(bed).errors == 1
    other = Connection(bed, near=NEAR_PORT + 1).open()
    assert other.say(0, HI + HERE) != HI + HERE


def test_a_helper_that_fails_at_the_beginning(bed: Bed) -> None:
    connection = Connection(bed, port=7001).open()
    assert connection.say(0, HI + HERE) == HI + HERE
    assert counted(bed, "badly").errors == 1
    assert len(bed.table.let) == 1
