"""A room has a share for every host, and of a host's share for each of its callers."""

import random
from ipaddress import IPv4Address

import pytest

from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.engine.shares import Shares

GREEDY, MODEST, OTHER = (IPv4Address(f"192.168.1.{last}") for last in (66, 7, 8))


@pytest.fixture
def room() -> int:
    """A small one."""
    return 8


def begin(known: Shares, name: Name, host: IPv4Address, caller: IPv4Address | None = None) -> Name | None:
    """Give a host, or a caller of it, a place; the entry that gives way to it, or None."""
    gone = None if known.has_room() else known.end_one()
    known.begin(name, host, caller or host)
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


def test_of_a_server_s_callers_the_one_that_has_most_gives_way(room: int) -> None:
    """All its callers together are one host for the others."""
    known = Shares(room)
    begin(known, (1, 1), GREEDY)
    begin(known, (2, 1), GREEDY, MODEST)
    for nth in range(3, room + 1):
        begin(known, (nth, 1), GREEDY, OTHER)
    assert (known.is_greedy(GREEDY, OTHER), known.is_greedy(GREEDY, MODEST)) == (True, False)
    assert begin(known, (20, 1), OTHER) == (room, 1)
    assert begin(known, (21, 1), GREEDY, MODEST) == (room - 1, 1)
    for nth in range(3, room - 1):
        known.end((nth, 1))
    assert known.end_one() == (21, 1)
    assert known.count(GREEDY) == 2


def test_a_host_without_callers_is_its_only_caller(room: int) -> None:
    known = Shares(room)
    begin(known, (1, 1), GREEDY)
    begin(known, (2, 1), GREEDY)
    assert (known.is_greedy(GREEDY, GREEDY), known.is_greedy(GREEDY, MODEST)) == (True, False)
    assert known.end_newest_of(GREEDY) == (2, 1)


def test_whatever_callers_begin_and_end_the_greediest_is_known(room: int) -> None:
    chance, known = random.Random(4788), Shares(room)
    there: dict[Name, tuple[IPv4Address, IPv4Address]] = {}
    for nth in range(3000):
        if there and chance.random() < 0.4:
            name = chance.choice(list(there))
            del there[name]
            known.end(name)
            continue
        host = chance.choice([GREEDY, MODEST])
        caller = chance.choice([host, OTHER, OTHER + 1])
        gone = begin(known, (nth, 1), host, caller)
        if gone is not None:
            hosts = [each for each, _ in there.values()]
            assert hosts.count(there[gone][0]) == max(map(hosts.count, hosts))
            callers = [each for at, each in there.values() if at == there[gone][0]]
            assert callers.count(there[gone][1]) == max(map(callers.count, callers))
            assert gone == [name for name in there if there[name] == there[gone]][-1]
            del there[gone]
        there[nth, 1] = host, caller
        assert len(known) == len(there)
