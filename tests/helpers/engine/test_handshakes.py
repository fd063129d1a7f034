"""A dialogue begins when its connection's handshake is over, and no byte is lost by that."""

import pytest
from support.packets import ACK, SYN

from helpers.engine.bed import Connection
from helpers.engine.scripted import always, bed_of


@pytest.mark.parametrize("forwarded", [False, True], ids=["from inside", "from outside to a forward"])
def test_a_dialogue_begins_when_the_handshake_is_over(forwarded: bool) -> None:
    """A host that only sends SYNs costs none, though they are answered."""
    helper = always()
    bed = bed_of(helper, forward=forwarded)
    connection, first = Connection(bed), int(forwarded)
    connection.ask(first)
    connection.send(1 - first, flags=SYN | ACK, at=-1, acked=0)
    assert helper.sessions == []
    connection.send(first)
    assert len(helper.sessions) == 1


def test_bytes_that_come_before_the_handshake_is_over_come_again_behind_it() -> None:
    """TCP Fast Open lets a server speak with its first acknowledgment (RFC 7413)."""
    helper = always()
    bed = bed_of(helper)
    connection = Connection(bed)
    connection.ask()
    connection.send(1, flags=SYN | ACK, at=-1, acked=0)
    assert connection.send(1, b"220 hello") == []
    connection.send(0)
    assert connection.say(1, b"220 hello") == b"220 hello"
    assert len(helper.sessions) == 1


def test_two_sides_may_begin_the_same_connection() -> None:
    """Each SYN is acknowledged by a SYN (RFC 9293 figure 8)."""
    helper = always()
    connection = Connection(bed_of(helper))
    connection.ask()
    connection.send(1, flags=SYN, at=-1, acked=None)
    connection.send(0, flags=SYN | ACK, at=-1, acked=0)
    assert helper.sessions == []
    connection.send(1, flags=SYN | ACK, at=-1, acked=0)
    assert len(helper.sessions) == 1
