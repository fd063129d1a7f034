"""Helpers are enabled and disabled while they read, by people and for taking too long."""

from ipaddress import IPv4Network

import pytest
from support.packets import ACK, SYN, tcp
from support.router import OTHER_CLIENT

from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, SERVER, Bed, Connection, counted, payload_of
from helpers.engine.here import ALSO, HERE, HI
from helpers.engine.scripted import always, bed_of, say
from nfmasq.helpers.engine.enabled import MOST_CUT_OFF
from nfmasq.helpers.switches import Switch
from nfmasq.lab.waiting import wait_until


@pytest.mark.parametrize("network", [None, IPv4Network("192.168.1.0/28")])
def test_disabled_nothing_more_is_rewritten_and_numbers_go_on(
    bed: Bed, connection: Connection, network: IPv4Network | None
) -> None:
    other = Connection(bed, near=NEAR_PORT + 1).open()
    plain = other.say(0, HI)
    sent = connection.say(0, HI + HERE)
    bed.engine.set_enabled("here", False, network)
    at = len(HI + HERE)
    (packet,) = connection.send(0, ALSO, at=at)
    assert (payload_of(packet), connection.heard(0, packet)) == (ALSO, len(sent))
    assert connection.told(1, connection.send(1, acked=len(sent + ALSO))[0]) == at + len(ALSO)
    assert other.say(0, ALSO, at=len(plain)) == ALSO
    assert len(bed.table.let) == 2
    bed.engine.set_enabled("here", True)
    assert connection.say(0, ALSO, at=at + len(ALSO)) == ALSO
    assert Connection(bed, near=NEAR_PORT + 2).open().say(0, HI + ALSO) != HI + ALSO


def test_disabled_for_one_network_goes_on_for_the_others(bed: Bed, connection: Connection) -> None:
    bed.engine.set_enabled("here", False, IPv4Network(f"{OTHER_CLIENT}/32"))
    assert connection.say(0, HI + HERE) != HI + HERE
    bed.send(tcp(OTHER_CLIENT, NEAR_PORT, SERVER, PORT), inbound=False)
    assert bed.engine.states()["here"].switch == Switch(True, ((IPv4Network(f"{OTHER_CLIENT}/32"), False),))


def test_what_waits_goes_on_when_the_helper_is_disabled(bed: Bed, connection: Connection) -> None:
    assert connection.say(0, HI + HERE[:12]) == HI
    bed.engine.set_enabled("here", False)
    assert connection.say(0, HERE[:12], at=len(HI)) == HERE[:12]


class TestAPhoneThatStaysRegistered:
    """It speaks in one session over UDP for ever, and loses no helper by a change of switches."""

    @pytest.mark.parametrize("network", [None, IPv4Network("192.168.1.0/28")], ids=["all", "its network"])
    @pytest.mark.parametrize("speaks", [True, False], ids=["it spoke meanwhile", "it was silent"])
    @pytest.mark.parametrize(("ticks", "after"), [(0, 0), (0, 3), (1, 0), (1, 3), (3, 0), (3, 3)])
    def test_disabled_and_enabled_again(
        self, ticks: int, after: int, network: IPv4Network | None, *, speaks: bool
    ) -> None:
        bed = bed_of(always())
        say(bed)
        before, rows = counted(bed, "scripted").readings, bed.rules.helper_ports
        bed.engine.set_enabled("scripted", False, network)
        bed.replace_rules(helper_ports=())
        if speaks:
            say(bed)
        tick(bed, ticks)
        bed.replace_rules(helper_ports=rows)
        bed.engine.set_enabled("scripted", True, network)
        tick(bed, after)
        assert counted(bed, "scripted").readings == before
        say(bed)
        assert counted(bed, "scripted").readings == before + 1
        assert counted(bed, "scripted").sessions == 1

    def test_enabled_after_it_has_registered(self) -> None:
        bed = bed_of(always())
        rows = bed.rules.helper_ports
        bed.replace_rules(helper_ports=())
        say(bed)
        bed.replace_rules(helper_ports=rows)
        say(bed)
        assert counted(bed, "scripted").readings == 1

    def test_disabled_its_packets_are_set_aside_no_more(self) -> None:
        bed = bed_of(always())
        say(bed)
        bed.engine.set_enabled("scripted", False)
        bed.replace_rules(helper_ports=())
        tick(bed, 1)
        assert [row.helper for row in bed.table.sessions()] == [0]
        assert counted(bed, "scripted").sessions == 0


def tick(bed: Bed, seconds: int) -> None:
    """So many seconds pass for the engine; no packet waits."""
    for _ in range(seconds):
        bed.engine._was_empty = True
        bed.engine.tick()


def test_a_helper_that_loops_is_cut_off_and_after_some_times_disabled() -> None:
    bed = Bed()
    bed.engine.start()
    try:
        for nth in range(MOST_CUT_OFF):
            assert bed.engine.states()["here"].switch == Switch(True)
            connection = Connection(bed, near=NEAR_PORT + nth)
            speak(bed, connection, nth)
            assert counted(bed).errors == nth + 1
        assert bed.engine.states()["here"].switch == Switch(False)
        assert bed.engine.states()["here"].problem
    finally:
        bed.engine.stop()
    assert bed.engine.failure is None
    assert None not in bed.table.verdicts


def speak(bed: Bed, connection: Connection, nth: int) -> None:
    """Shake hands and say LOOP, with the engine's own thread answering."""
    near, before = (CLIENT, NEAR_PORT + nth), len(bed.table.verdicts)
    bed.table.translate(tcp(*near, SERVER, PORT))
    external = next(row.external for row in bed.table.sessions() if row.internal == near)
    bed.table.translate(tcp(SERVER, PORT, *external, SYN | ACK), inbound=True)
    bed.table.translate(tcp(*near, SERVER, PORT, ACK, payload=HI + b"LOOP\r\n"))
    wait_until(lambda: len(bed.table.verdicts) == before + 3, "three verdicts", 5)
    assert bed.table.verdicts[-1] is not None
    assert bed.table.verdicts[-1].endswith(HI + b"LOOP\r\n")
