"""What a protocol says of how long it lasts is kept, within bounds."""

import pytest
from support.packets import udp
from support.router import CLIENT, SERVER

from helpers.engine.bed import NEAR_PORT, Bed, Connection
from helpers.engine.scripted import always, bed_of, expected, meet, once, say, spanless
from nfmasq.core.policy import Timeouts
from nfmasq.core.rows import SessionRow
from nfmasq.helpers.engine import lifetimes
from nfmasq.helpers.kit.base import Reading

SHORT = {"timeouts": Timeouts(tcp_established=30, udp=20)}
"""Shorter than what keeps another session."""


def data_of(bed: Bed) -> SessionRow:
    """The session that was announced."""
    (row,) = [row for row in bed.table.sessions() if row.internal[1] == 5000]
    return row


def held(bed: Bed) -> int:
    """Seconds that the control session lives at least."""
    (row,) = [row for row in bed.table.sessions() if row.internal[1] == NEAR_PORT]
    return row.expires_s


def tick(bed: Bed, seconds: int) -> None:
    """So many seconds pass for the engine."""
    for _ in range(seconds):
        bed.engine.tick()


def test_an_expectation_waits_as_long_as_it_is_said() -> None:
    bed = bed_of(always(spanless(5000, lifetime_s=1800), spanless(5002, lifetime_s=10**9)))
    say(bed)
    waits = {port: row.expires_s for port, row in expected(bed).items()}
    assert waits == {5000: pytest.approx(1800, abs=5), 5002: pytest.approx(7200, abs=5)}


def test_its_session_lives_as_long_however_often_packets_come() -> None:
    bed = bed_of(always(spanless(5000, lifetime_s=1800)))
    say(bed)
    for _ in range(3):
        meet(bed)
        bed.send(udp(CLIENT, 5000, SERVER, 6000, b"x"), inbound=False)
        for _ in range(lifetimes.LOOK_AT_DATA_S):
            bed.engine.tick()
        (row,) = [row for row in bed.table.sessions() if row.internal[1] == 5000]
        assert row.expires_s > 1700


def test_a_session_is_held_for_as_long_as_its_dialogue_wants() -> None:
    bed = bed_of(once(Reading(0, hold_s=3600), Reading(0)))
    say(bed)
    assert held(bed) == pytest.approx(3600, abs=5)
    say(bed)
    for _ in range(lifetimes.LOOK_AT_DATA_S):
        bed.engine.tick()
    assert held(bed) > 3500


@pytest.mark.parametrize("bound", [True, False])
def test_what_ends_with_its_control_session_lives_as_long(bound: bool) -> None:
    """Nothing comes in a pause, however long: FTP's transfers are not of this kind."""
    bed = bed_of(once(Reading(0, [spanless(5000, ends_with_control=bound)]), Reading(0)), **SHORT)
    Connection(bed).open().say(0, b"x")
    assert meet(bed)
    for _ in range(lifetimes.LOOK_AT_DATA_S):
        bed.engine.tick()
    assert (data_of(bed).expires_s > SHORT["timeouts"].udp) == bound


@pytest.mark.parametrize("how", ["silent", "disabled", "both live"])
def test_what_no_word_will_end_lives_by_its_own_timer(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered phone's session lives for ever."""
    monkeypatch.setattr(lifetimes, "MOST_SILENT_S", 100)
    found = spanless(5000, ends_with_control=True)
    bed = bed_of(once(Reading(0, [found]), Reading(0)), **SHORT)
    Connection(bed).open().say(0, b"x")
    assert meet(bed)
    if how == "disabled":
        bed.engine.set_enabled("scripted", False)
        say(bed)
    tick(bed, 200 if how == "silent" else lifetimes.LOOK_AT_DATA_S)
    before = data_of(bed).expires_s
    bed.table.second += 60
    tick(bed, lifetimes.LOOK_AT_DATA_S)
    assert (data_of(bed).expires_s > before) == (how == "both live")


def test_packets_keep_it_however_long_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetimes, "MOST_SILENT_S", 100)
    found = spanless(5000, ends_with_control=True)
    bed = bed_of(once(Reading(0, [found]), Reading(0)))
    Connection(bed).open().say(0, b"x")
    for _ in range(5):
        assert meet(bed)
        bed.send(udp(CLIENT, 5000, SERVER, 6000, b"x"), inbound=False)
        tick(bed, 60)
    before = data_of(bed).expires_s
    bed.table.second += before
    tick(bed, lifetimes.LOOK_AT_DATA_S)
    assert data_of(bed).expires_s > before


@pytest.mark.parametrize("bound", [True, False])
def test_a_session_that_another_keeps_keeps_it_not(bound: bool) -> None:
    """Both would live for ever."""
    bed = bed_of(once(Reading(0, [spanless(5000, ends_with_control=bound)]), Reading(0)), **SHORT)
    Connection(bed).open().say(0, b"x")
    assert meet(bed)
    for _ in range(2 * lifetimes.LOOK_AT_DATA_S):
        bed.engine.tick()
    assert (held(bed) > SHORT["timeouts"].tcp_established) != bound


def test_a_session_that_lives_by_its_packets_keeps_its_control_session() -> None:
    short = Timeouts(tcp_established=30)
    found = spanless(5000, ends_with_control=True)
    bed = bed_of(once(Reading(0, [found]), Reading(0)), timeouts=short)
    Connection(bed).open().say(0, b"x")
    assert meet(bed)
    for _ in range(lifetimes.LOOK_AT_DATA_S):
        bed.engine.tick()
    assert held(bed) > short.tcp_established


def test_no_session_is_held_for_ever() -> None:
    bed = bed_of(always(hold_s=10**9))
    say(bed)
    assert held(bed) == pytest.approx(7200, abs=5)
