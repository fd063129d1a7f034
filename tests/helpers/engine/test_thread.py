"""The engine: who gets a helper, what becomes of one that misbehaves, switches, the thread."""

import threading
import time
from ipaddress import IPv4Network

import pytest
from support.packets import ACK, SYN, put, sums_are_right, tcp, word
from support.router import OTHER_CLIENT

from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, SERVER, Bed, Connection, datagram, payload_of
from helpers.engine.here import text_of
from nfmasq._fastpath import SetAside
from nfmasq.helpers.engine import sessions as talks
from nfmasq.helpers.engine import thread as engine_file
from nfmasq.helpers.engine.counters import HelperCounters
from nfmasq.helpers.switches import Switch
from nfmasq.lab.waiting import wait_until

HI = b"HI\r\n"
HERE = b"HERE " + text_of(CLIENT, 5000) + b"\r\n"
ALSO = b"HERE " + text_of(CLIENT, 5001) + b"\r\n"


def counted(bed: Bed, helper: str = "here") -> HelperCounters:
    """A helper's counters."""
    return bed.engine.counters()[helper]


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
def connection(bed: Bed) -> Connection:
    return Connection(bed).open()


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


def test_a_helper_of_datagrams(bed: Bed) -> None:
    (sent,) = datagram(bed, HERE)
    assert sums_are_right(sent)
    assert str(CLIENT).encode() not in sent
    assert datagram(bed, b"plain")[0].endswith(b"plain")
    assert datagram(bed, b"RAISE\r\n")[0].endswith(b"RAISE\r\n")
    assert datagram(bed, HERE)[0].endswith(HERE)
    assert (counted(bed, "echo").errors, counted(bed, "echo").rewritten) == (1, 1)


@pytest.mark.parametrize("network", [None, IPv4Network("192.168.1.0/28")])
def test_switched_off_nothing_more_is_rewritten_and_numbers_go_on(
    bed: Bed, connection: Connection, network: IPv4Network | None
) -> None:
    other = Connection(bed, near=NEAR_PORT + 1).open()
    plain = other.say(0, HI)
    sent = connection.say(0, HI + HERE)
    bed.engine.switch("here", False, network)
    at = len(HI + HERE)
    (packet,) = connection.send(0, ALSO, at=at)
    assert (payload_of(packet), connection.heard(0, packet)) == (ALSO, len(sent))
    assert connection.told(1, connection.send(1, acked=len(sent + ALSO))[0]) == at + len(ALSO)
    assert other.say(0, ALSO, at=len(plain)) == ALSO
    assert len(bed.table.let) == 2
    bed.engine.switch("here", True)
    assert connection.say(0, ALSO, at=at + len(ALSO)) == ALSO
    assert Connection(bed, near=NEAR_PORT + 2).open().say(0, HI + ALSO) != HI + ALSO


def test_switched_off_for_one_network_goes_on_for_the_others(bed: Bed, connection: Connection) -> None:
    bed.engine.switch("here", False, IPv4Network(f"{OTHER_CLIENT}/32"))
    assert connection.say(0, HI + HERE) != HI + HERE
    bed.send(tcp(OTHER_CLIENT, NEAR_PORT, SERVER, PORT), inbound=False)
    assert bed.engine.states()["here"].switch == Switch(True, ((IPv4Network(f"{OTHER_CLIENT}/32"), False),))


def test_what_waits_goes_on_when_the_helper_is_switched_off(bed: Bed, connection: Connection) -> None:
    assert connection.say(0, HI + HERE[:12]) == HI
    bed.engine.switch("here", False)
    assert connection.say(0, HERE[:12], at=len(HI)) == HERE[:12]


def test_conversations_end_with_their_sessions(bed: Bed, connection: Connection) -> None:
    connection.say(0, HI + HERE)
    assert counted(bed).sessions == 1
    bed.table.flush()
    bed.engine.tick()
    assert counted(bed).sessions == 0


def test_there_are_only_so_many_conversations(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talks, "MOST", 1)
    assert Connection(bed).open().say(0, HI + HERE) != HI + HERE
    assert Connection(bed, near=NEAR_PORT + 1).open().say(0, HI + HERE) == HI + HERE


def test_bytes_that_wait_are_bounded_for_all_sessions_together(bed: Bed) -> None:
    bed.engine._store.most = 10
    first, second = Connection(bed).open(), Connection(bed, near=NEAR_PORT + 1).open()
    assert first.say(0, HI + HERE[:8]) == HI
    assert second.say(0, HI + HERE[:8]) == HI + HERE[:8]
    assert first.say(0, HERE[8:], at=len(HI) + 8) != HERE[8:]
    assert bed.engine._store.used == 0


def test_bytes_behind_gaps_leave_half_the_room_to_bytes_that_wait(bed: Bed) -> None:
    bed.engine._store.most = 100
    one = Connection(bed).open()
    for at in range(20, 1020, 10):
        one.say(0, b"x" * 10, at=at)
    assert bed.engine._store.used == 50
    other = Connection(bed, near=NEAR_PORT + 1).open()
    assert other.say(0, HI + HERE[:12]) == HI
    assert other.say(0, HERE[12:], at=len(HI) + 12).endswith(b"\r\n")
    assert bed.table.let == []


def test_a_helper_that_loops_is_cut_off_and_after_some_times_switched_off() -> None:
    bed = Bed()
    bed.engine.start()
    try:
        for nth in range(engine_file.MOST_CUT_OFF):
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


def test_the_thread_answers_all_before_it_ends(bed: Bed) -> None:
    bed.engine.start()
    wait_until(lambda: bed.engine.beats, "the first turn")
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
    monkeypatch.setattr(engine_file, "DRAINED_WITHIN_S", 0.1)
    syn, take = tcp(CLIENT, NEAR_PORT, SERVER, PORT), bed.table.next_set_aside

    def one_more(timeout_s: float) -> SetAside | None:
        bed.table.translate(syn)
        return take(timeout_s)

    monkeypatch.setattr(bed.table, "next_set_aside", one_more)
    bed.engine.start()
    bed.engine.stop(1.0)
    assert not bed.engine._thread.is_alive()


def test_what_it_cost_is_counted(bed: Bed, connection: Connection) -> None:
    began = time.perf_counter()
    connection.say(0, HI + HERE)
    counters = counted(bed)
    assert 0 < counters.seconds < time.perf_counter() - began + 1
    assert (counters.seen, counters.rewritten, counters.sessions) == (1, 1, 1)
    assert counters.by_result() == {"seen": 1, "rewritten": 1, "refused": 0, "error": 0}
