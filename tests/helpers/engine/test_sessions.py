"""Which sessions the engine knows, and for how long."""

import pytest
from support.packets import tcp
from support.router import OTHER_CLIENT

from helpers.engine.bed import NEAR_PORT, PORT, SERVER, Bed, Connection, counted
from helpers.engine.here import HERE, HI
from nfmasq.helpers.engine import sessions


def test_a_session_ends_with_the_core_s(bed: Bed, connection: Connection) -> None:
    connection.say(0, HI + HERE)
    assert counted(bed).sessions == 1
    bed.table.flush()
    bed.engine.tick()
    assert counted(bed).sessions == 0


@pytest.mark.parametrize("most", ["MOST_STORED", "MOST_STORED_OF_A_HOST"])
def test_there_are_only_so_many_sessions(bed: Bed, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    monkeypatch.setattr(sessions, most, 1)
    assert Connection(bed).open().say(0, HI + HERE) != HI + HERE
    assert Connection(bed, near=NEAR_PORT + 1).open().say(0, HI + HERE) == HI + HERE


def test_the_newest_of_the_greediest_host_is_read_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that use all room take the helper from no other; what was rewritten goes on being corrected."""
    monkeypatch.setattr(sessions, "MOST_HELPED_SESSIONS", 2)
    bed = Bed()
    greedy = [Connection(bed, near=NEAR_PORT + nth).open() for nth in range(2)]
    sent = [connection.say(0, HI + HERE) for connection in greedy]
    modest = Connection(bed)
    modest.near = (OTHER_CLIENT, NEAR_PORT)
    assert modest.open().say(0, b"HI\r\nSELF 192.168.1.11 0\r\n") != b""
    assert counted(bed).sessions == 3
    at = len(HI + HERE)
    assert greedy[1].say(0, HERE, at=at) == HERE
    greedy[1].send(1, acked=len(sent[1]) + len(HERE))
    assert counted(bed).sessions == 2
    assert greedy[0].say(0, HERE, at=at) != HERE


def test_retired_sessions_are_forgotten_when_no_packet_can_wait_any_more(
    bed: Bed, connection: Connection
) -> None:
    connection.say(0, b"another protocol")
    known = bed.engine._sessions
    assert known.retired((1, 1))
    for was_empty, is_known in ((False, True), (True, True), (False, True), (True, False)):
        bed.engine._was_empty = was_empty
        bed.engine.tick()
        assert bool(known.retired((1, 1))) == is_known


def test_a_host_has_its_share_and_the_others_theirs(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_OF_A_HOST", 1)
    first = Connection(bed).open()
    assert Connection(bed, near=NEAR_PORT + 1).open().say(0, HI + HERE) == HI + HERE
    bed.send(tcp(OTHER_CLIENT, NEAR_PORT, SERVER, PORT), inbound=False)
    assert counted(bed).sessions == 2
    assert first.say(0, HI + HERE) != HI + HERE
    bed.table.flush()
    for _ in range(2):
        bed.engine.tick()
    assert Connection(bed, near=NEAR_PORT + 2).open().say(0, HI + HERE) != HI + HERE
