"""Sessions that began by an announcement: one host's many take no time from the helpers of others."""

from ipaddress import IPv4Address

import pytest
from support.packets import ACK, RST, UDP, udp
from support.router import OTHER_CLIENT

from helpers.engine.bed import CLIENT, NEAR_PORT, SERVER, Bed, Connection
from helpers.engine.scripted import Scripted, bed_of, spanless
from nfmasq.core.rows import SessionRow
from nfmasq.helpers.engine import followed, lifetimes
from nfmasq.helpers.kit.base import Reading, Session, Side


def with_data(bed: Bed, host: IPv4Address, near: int, ports: range) -> Connection:
    """A control session by which a host has announced these ports, and a session has begun at each."""
    made = Connection(bed, near=near)
    made.near = (host, near)
    made.open()
    for nth, port in enumerate(ports):
        made.say(0, b"%d" % port, at=4 * nth)
        bed.send(udp(SERVER, 6000, *data_of(bed, host)[-1].external, b"x"), inbound=True)
    return made


def data_of(bed: Bed, host: IPv4Address) -> list[SessionRow]:
    """A host's sessions that are no control sessions, the oldest first."""
    return [row for row in bed.table.sessions() if row.internal[0] == host and row.protocol == UDP]


@pytest.mark.parametrize("controls", [1, 2, 4])
def test_of_the_host_with_most_sessions_the_newest_are_left_to_their_timers(
    monkeypatch: pytest.MonkeyPatch, controls: int
) -> None:
    """To look them all up would take the helpers' time. The others end with their control sessions."""
    monkeypatch.setattr(followed, "MOST_FOLLOWED", 8)

    def announce(session: Session, side: Side, data: bytes) -> Reading:
        found = [spanless(int(data), ends_with_control=True)] if data else []
        return Reading(len(data), found)

    bed = bed_of(Scripted(announce))
    each = 12 // controls
    made = [(with_data(bed, OTHER_CLIENT, NEAR_PORT, range(4000, 4003)), 3)]
    for nth in range(controls):
        first = 5000 + each * nth
        made.append((with_data(bed, CLIENT, NEAR_PORT + 1 + nth, range(first, first + each)), each))
    bed.engine.tick()
    for control, said_so_far in made:
        control.send(0, flags=RST | ACK, at=4 * said_so_far)
    for _ in range(lifetimes.LOOK_AT_DATA_S):
        bed.engine.tick()
    assert data_of(bed, OTHER_CLIENT) == []
    assert len(data_of(bed, CLIENT)) == 12 - 5
