"""The engine: which sessions get a helper, and how its thread begins and ends."""

import threading

import pytest
from support.packets import ACK, put, tcp, word

from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, SERVER, Bed, Connection, counted
from helpers.engine.here import HERE, HI
from nfmasq._fastpath import SetAside
from nfmasq.helpers.engine import thread
from nfmasq.lab.waiting import wait_until


@pytest.mark.parametrize(
    "first", [b"POST / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"\0\1\0\0\x21\x12\xa4\x42", b"HERE"]
)
def test_another_protocol_loses_its_helper_for_good(bed: Bed, connection: Connection, first: bytes) -> None:
    assert connection.say(0, first) == first
    assert connection.say(0, HI + HERE, at=len(first)) == HI + HERE
    assert len(bed.table.let) == 1
    assert counted(bed).sessions == 0


def test_slipstreaming_a_message_at_a_segment_s_start_is_none(bed: Bed, connection: Connection) -> None:
    page = b"HI, POST".ljust(1400, b"x")
    assert connection.say(0, page) == page
    assert connection.say(0, HERE, at=len(page)) == HERE
    assert [row.state for row in bed.table.sessions()].count("expected") == 0


def test_a_fragment_that_came_alone_is_never_read(bed: Bed) -> None:
    packet = tcp(CLIENT, NEAR_PORT, SERVER, PORT, payload=HI + HERE)
    for fragment in (0x2000, 0x0001, 0x00B9):
        bed.send(put(packet, 6, word(fragment)), inbound=False)
    assert counted(bed).seen == 0


def test_a_connection_met_in_the_middle_has_no_helper(bed: Bed) -> None:
    bed.send(tcp(CLIENT, NEAR_PORT, SERVER, PORT, ACK, payload=HI + HERE), inbound=False)
    assert counted(bed).readings == 0


def test_the_thread_answers_all_before_it_ends(bed: Bed) -> None:
    bed.engine.start()
    wait_until(lambda: bed.engine.beats, "the first beat")
    for port in range(100):
        bed.table.translate(tcp(CLIENT, 1024 + port, SERVER, PORT))
    bed.engine.stop()
    assert len(bed.table.verdicts) == 100
    assert "helpers" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("what", [SystemExit, KeyboardInterrupt, ValueError])
def test_its_thread_never_ends_in_silence(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, what: type[BaseException]
) -> None:
    def fail() -> None:
        raise what

    monkeypatch.setattr(bed.engine, "tick", fail)
    bed.engine.start()
    wait_until(lambda: bed.engine.failure is not None, "the failure to be told")
    bed.engine.stop()


def test_packets_that_go_on_coming_do_not_keep_it(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread, "DRAINED_WITHIN_S", 0.1)
    syn, take = tcp(CLIENT, NEAR_PORT, SERVER, PORT), bed.table.next_set_aside

    def one_more(timeout_s: float) -> SetAside | None:
        bed.table.translate(syn)
        return take(timeout_s)

    monkeypatch.setattr(bed.table, "next_set_aside", one_more)
    bed.engine.start()
    bed.engine.stop(1.0)
    assert not bed.engine._thread.is_alive()
