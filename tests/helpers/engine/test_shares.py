"""Handshakes have a room of their own: a flood of SYNs takes the helper from no connection of others."""

import random
from ipaddress import IPv4Address

import pytest
from support.packets import tcp
from support.router import CLIENT, OTHER_CLIENT, OTHER_SERVER, SERVER

from helpers.engine.bed import NEAR_PORT, PORT, Bed, Connection, counted
from helpers.engine.here import HERE, HI
from nfmasq.helpers.engine import sessions
from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.engine.shares import Shares

GREEDY, MODEST, OTHER = (IPv4Address(f"192.168.1.{last}") for last in (66, 7, 8))


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> int:
    """A small one."""
    monkeypatch.setattr(sessions, "MOST_OPENINGS", 8)
    return 8


def begin(known: Shares, name: Name, host: IPv4Address) -> Name | None:
    """Give a host a place; the entry that gives way to it, or None."""
    gone = None if known.has_room() else known.end_one()
    known.begin(name, host)
    return gone


def test_the_newest_of_the_host_that_has_most_gives_way(room: int) -> None:
    known = Shares(room)
    begun = [begin(known, (1, 1), MODEST)]
    begun += [begin(known, (nth, 1), GREEDY) for nth in range(2, room + 1)]
    assert begun == [None] * room
    assert begin(known, (20, 1), OTHER) == (room, 1)
    assert begin(known, (21, 1), MODEST) == (room - 1, 1)
    assert len(known) == room


def test_of_hosts_with_equally_many_the_first_gives_way(room: int) -> None:
    """Sources that are spoofed have one each."""
    known = Shares(room)
    for nth in range(room):
        begin(known, (nth, 1), GREEDY + nth)
    assert begin(known, (20, 1), MODEST) == (0, 1)
    assert begin(known, (21, 1), OTHER) == (1, 1)


def test_a_handshake_that_is_over_gives_way_no_more(room: int) -> None:
    known = Shares(room)
    for nth in range(room):
        begin(known, (nth, 1), GREEDY)
    known.end((room - 1, 1))
    known.end((room - 1, 1))
    assert begin(known, (20, 1), MODEST) is None
    assert begin(known, (21, 1), MODEST) == (room - 2, 1)


def test_whatever_begins_and_ends_the_greediest_is_known(room: int) -> None:
    chance, known = random.Random(4787), Shares(room)
    there: dict[tuple[int, int], IPv4Address] = {}
    for nth in range(3000):
        if there and chance.random() < 0.4:
            name = chance.choice(list(there))
            del there[name]
            known.end(name)
            continue
        host = chance.choice([GREEDY, MODEST, OTHER])
        gone = begin(known, (nth, 1), host)
        assert (gone is None) == (len(there) < room)
        if gone is not None:
            counts = [*there.values()]
            assert counts.count(there[gone]) == max(map(counts.count, counts))
            assert gone == [name for name in there if there[name] == there[gone]][-1]
            del there[gone]
        there[nth, 1] = host
        assert len(known) == len(there)


@pytest.mark.parametrize("forwarded", [False, True], ids=["from inside", "from outside to a forward"])
@pytest.mark.parametrize("spoofed", [False, True])
def test_a_flood_of_syns_takes_the_helper_from_no_other(room: int, forwarded: bool, spoofed: bool) -> None:
    """Neither from a connection that was open before, nor from one that begins after."""
    bed = Bed(forward=forwarded)
    before = Connection(bed).open()
    for nth in range(3 * room):
        if forwarded:
            source = IPv4Address("198.18.0.1") + nth if spoofed else OTHER_SERVER
            bed.send(tcp(source, 1024 + nth, *before.external), inbound=True)
        else:
            source = OTHER_CLIENT + nth if spoofed else OTHER_CLIENT
            bed.send(tcp(source, 1024 + nth, SERVER, PORT), inbound=False)
    after = Connection(bed, near=NEAR_PORT + 1).open()
    for connection in (before, after):
        assert connection.say(0, HI + HERE) != HI + HERE
    assert counted(bed).sessions == room + 1


def test_a_connection_that_gave_way_goes_on_without_a_helper(room: int) -> None:
    bed = Bed()
    asked = [Connection(bed, near=NEAR_PORT + nth) for nth in range(room + 1)]
    for connection in asked:
        connection.ask()
    assert len(bed.table.let) == 1
    gone = asked[room - 1]
    assert gone.near[0] == CLIENT
    assert [row.helper for row in bed.table.sessions() if row.internal == gone.near] == [0]
