"""Whatever one host does, the others have their helper: before it, during it and after it.

Each flood comes from inside, or from outside to a forwarded server: from one host or from spoofed sources.
"""

from ipaddress import IPv4Address
from typing import Any

import pytest
from support.packets import ACK, SYN, tcp, udp
from support.router import CLIENT, OTHER_CLIENT, OTHER_SERVER, SERVER, SHARES

from helpers.engine.bed import NEAR_PORT, PORT, Bed, Connection, counted
from helpers.engine.here import HERE, HI, line_of
from helpers.engine.scripted import Scripted, always, spanless
from nfmasq.helpers.engine import sessions, standing
from nfmasq.helpers.kit.base import Endpoint, Found, Reading, Session, Side

MANY = 40_000
A_SECOND = 4000
"""How many of them come in a second: all ports together wait longer for an answer than the core does."""
SPOOFED = IPv4Address("198.18.0.1")
THIRD = OTHER_SERVER + 1


def large(*helpers: Any, **changes: Any) -> Bed:
    """A router with room for all of it, and no limit of its own."""
    return Bed(*helpers, sessions=1 << 17, **changes)


def asks(bed: Bed, count: int, *, forwarded: bool, spoofed: bool) -> None:
    """SYNs that nobody answers, or everybody; none is answered again."""
    address = bed.rules.addresses[0]
    for nth in range(count):
        bed.table.second += nth % A_SECOND == 0
        port = 1024 + nth % 60_000
        if forwarded:
            source = SPOOFED + nth if spoofed else OTHER_SERVER
            bed.send(tcp(source, port, address, PORT, SYN), inbound=True)
        else:
            source = OTHER_CLIENT + nth % 200 if spoofed else OTHER_CLIENT
            bed.send(tcp(source, port, SERVER, PORT, SYN), inbound=False)


INSIDE_OR_OUTSIDE = pytest.mark.parametrize(
    "forwarded", [False, True], ids=["from inside", "from outside to a forward"]
)


@INSIDE_OR_OUTSIDE
@pytest.mark.parametrize("spoofed", [False, True], ids=["one host", "spoofed hosts"])
def test_a_flood_of_syns_takes_the_helper_from_no_other(forwarded: bool, spoofed: bool) -> None:
    """Neither from a connection that was open, nor from one under way, nor from one that begins after."""
    bed = large(forward=forwarded)
    before = Connection(bed).open()
    asks(bed, MANY, forwarded=forwarded, spoofed=spoofed)
    during = Connection(bed, near=NEAR_PORT + 1)
    during.ask(int(forwarded))
    asks(bed, 1000, forwarded=forwarded, spoofed=spoofed)
    during.send(int(not forwarded), flags=SYN | ACK, at=-1, acked=0)
    during.send(int(forwarded))
    after = Connection(bed, near=NEAR_PORT + 2).open()
    for connection in (before, during, after):
        assert connection.say(0, HI + HERE) != HI + HERE
    assert counted(bed).sessions <= sessions.MOST_OPENINGS + 3


def test_a_flood_from_outside_takes_the_helper_from_no_handshake_inside() -> None:
    """All who call a server have its share together, however many they say they are."""
    bed = large(forward=True)
    modest = Connection(bed)
    modest.forwarded, modest.near, modest.far = False, (OTHER_CLIENT, NEAR_PORT), (SERVER, PORT)
    modest.ask()
    asks(bed, 3 * sessions.MOST_OPENINGS, forwarded=True, spoofed=True)
    modest.send(1, flags=SYN | ACK, at=-1, acked=0)
    modest.send(0)
    line = b"HERE " + line_of(OTHER_CLIENT, 5000)
    assert modest.say(0, HI + line) != HI + line


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> int:
    """A small one, for floods that cost as much as what they take."""
    monkeypatch.setattr(sessions, "MOST_OPENINGS", 8)
    monkeypatch.setattr(sessions, "MOST_OF_A_HOST", 16)
    monkeypatch.setattr(sessions, "MOST_HELPED_SESSIONS", 32)
    return 16


def calls(bed: Bed, caller: IPv4Address, near: int) -> Connection:
    """A connection of CLIENT's, or by a caller from outside to CLIENT's server."""
    made = Connection(bed, near=near)
    if made.forwarded:
        made.far = caller, near
    return made.open()


@INSIDE_OR_OUTSIDE
def test_connections_take_no_more_than_a_host_s_share(room: int, forwarded: bool) -> None:
    bed = Bed(forward=forwarded)
    before = calls(bed, THIRD, NEAR_PORT)
    greedy = [calls(bed, OTHER_SERVER, NEAR_PORT + nth) for nth in range(1, 3 * room)]
    if not forwarded:
        assert greedy[-1].say(0, HI + HERE) == HI + HERE
        modest = Connection(bed)
        modest.near = (OTHER_CLIENT, NEAR_PORT)
        line = b"HERE " + line_of(OTHER_CLIENT, 5000)
        assert modest.open().say(0, HI + line) != HI + line
    else:
        assert greedy[-1].say(0, HI + HERE) == HI + HERE
        assert calls(bed, SERVER, NEAR_PORT).say(0, HI + HERE) != HI + HERE
    assert before.say(0, HI + HERE) != HI + HERE
    assert counted(bed).sessions <= room + 1


def test_a_server_s_callers_take_its_connections_from_nobody_inside(room: int) -> None:
    """Though each of them has but one, and those inside have more."""
    bed = Bed(forward=True)
    mine = []
    for nth in range(3):
        made = Connection(bed, near=NEAR_PORT + nth)
        made.forwarded, made.near, made.far = False, (OTHER_CLIENT, NEAR_PORT + nth), (SERVER, PORT)
        mine.append(made.open())
    for nth in range(4 * room):
        calls(bed, SPOOFED + nth, NEAR_PORT)
    line = b"HERE " + line_of(OTHER_CLIENT, 5000)
    assert all(made.say(0, HI + line) != HI + line for made in mine)


def replies() -> Scripted:
    """A helper whose server announces a port in each of its messages."""
    return Scripted(
        lambda session, side, data: Reading(len(data), [spanless(int(data))] if side is Side.INSIDE else [])
    )


def udp_call(bed: Bed, caller: Endpoint, *, speaks_again: bool = True) -> None:
    """A caller asks CLIENT's server, is answered, and speaks again if it is who it says."""
    place = bed.rules.addresses[0], PORT
    bed.send(udp(*caller, *place, b"0"), inbound=True)
    bed.send(udp(CLIENT, PORT, *caller, b"5000"), inbound=False)
    if speaks_again:
        bed.send(udp(*caller, *place, b"0"), inbound=True)


@pytest.mark.parametrize("answered", [False, True])
def test_spoofed_datagrams_take_the_helper_from_no_caller(room: int, answered: bool) -> None:
    helper = replies()
    bed = Bed(helper, forward=True)
    udp_call(bed, (SERVER, 5060))
    for nth in range(4 * room):
        source = (SPOOFED + nth, 5060)
        if answered:
            udp_call(bed, source, speaks_again=False)
        else:
            bed.send(udp(*source, bed.rules.addresses[0], PORT, b"0"), inbound=True)
    seen = counted(bed, "scripted").readings
    bed.send(udp(CLIENT, PORT, SERVER, 5060, b"6000"), inbound=False)
    assert counted(bed, "scripted").readings == seen + 1
    assert counted(bed, "scripted").sessions <= sessions.MOST_OPENINGS + 1


def test_a_host_s_datagrams_take_no_more_than_its_share(room: int) -> None:
    """What it sends from more ports passes, and costs no dialogue."""
    helper = always()
    bed = Bed(helper)
    for nth in range(3 * room):
        assert bed.send(udp(CLIENT, NEAR_PORT + nth, SERVER, PORT, b"x"), inbound=False)
    assert len(helper.sessions) == room
    bed.send(udp(OTHER_CLIENT, NEAR_PORT, SERVER, PORT, b"x"), inbound=False)
    assert len(helper.sessions) == room + 1


SIXTEEN = b"sixteen of them."


def sixteen(session: Session, side: Side, data: bytes) -> Reading:
    """Sixteen ports, others for each internal port."""
    host, near = session.internal
    first = 5000 + 16 * (near - NEAR_PORT)
    return Reading(
        len(data), [Found(nth, nth + 1, host, first + nth, lambda *_: b"x", "udp") for nth in range(16)]
    )


class TestAnnouncedPorts:
    """4096 ports that one host announces leave the others theirs."""

    @pytest.mark.parametrize("shares", [{}, SHARES], ids=["no limits", "the default limits"])
    def test_by_one_host_inside(self, shares: dict[str, Any]) -> None:
        bed = large(Scripted(sixteen), **shares)
        bed.send(udp(OTHER_CLIENT, NEAR_PORT, SERVER, PORT, SIXTEEN), inbound=False)
        for nth in range(1, standing.MOST_EXPECTATIONS_IN_ALL // 16 + 64):
            bed.send(udp(CLIENT, NEAR_PORT + nth, SERVER, PORT, SIXTEEN), inbound=False)
        assert bed.engine.expectations() == standing.MOST_EXPECTATIONS_IN_ALL
        assert waiting_of(bed, OTHER_CLIENT) == 16
        bed.send(udp(OTHER_CLIENT + 1, NEAR_PORT + 1000, SERVER, PORT, SIXTEEN), inbound=False)
        assert waiting_of(bed, OTHER_CLIENT + 1) == 16
        assert waiting_of(bed, CLIENT) == standing.MOST_EXPECTATIONS_IN_ALL - 32

    def test_by_one_caller_of_a_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It makes the server announce, again and again."""
        monkeypatch.setattr(standing, "MOST_EXPECTATIONS_IN_ALL", 8)
        bed = Bed(replies(), forward=True)
        place = bed.rules.addresses[0], PORT
        for nth in range(20):
            bed.send(udp(OTHER_SERVER, 6000 + nth, *place, b"0"), inbound=True)
            bed.send(udp(CLIENT, PORT, OTHER_SERVER, 6000 + nth, b"%d" % (5000 + nth)), inbound=False)
            if nth == 10:
                udp_call(bed, (SERVER, 6000))
        (row,) = [
            each for each in bed.table.sessions() if each.state == "expected" and each.remote[0] == SERVER
        ]
        assert row.internal == (CLIENT, 5000)


def waiting_of(bed: Bed, host: IPv4Address) -> int:
    """A host's expectations in the core."""
    rows = bed.table.sessions(limit=1 << 17, host=host)
    return sum(row.state == "expected" and row.internal[0] == host for row in rows)


def test_a_connection_that_gave_way_goes_on_without_a_helper(room: int) -> None:
    bed = Bed()
    most = sessions.MOST_OPENINGS
    asked = [Connection(bed, near=NEAR_PORT + nth) for nth in range(most + 1)]
    for connection in asked:
        connection.ask()
    assert len(bed.table.let) == 1
    gone = asked[most - 1]
    assert gone.near[0] == CLIENT
    assert [row.helper for row in bed.table.sessions() if row.internal == gone.near] == [0]
