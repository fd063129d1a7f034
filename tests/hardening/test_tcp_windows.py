"""Sequence numbers: what no end of the connection can have sent is dropped, all else passes."""

from pathlib import Path

import pytest
from support.packets import ACK, FIN, PSH, RST, SYN, URG
from support.router import Router, policy

from hardening.tcp_end import MSS, End, Segment, scale_option
from hardening.tcp_path import Connection, established

OUT_OF_WINDOW = "tcp_out_of_window"
BUFFER = 60000
GRANTED = 1 << 16
"""Bytes ahead that are no attack yet, however small the window is."""
FIRSTS = [0, 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) - BUFFER, (1 << 32) - 70000]
every_first = pytest.mark.parametrize("first", FIRSTS)
both_sides = pytest.mark.parametrize("side", [0, 1], ids=["from inside", "from outside"])


def _at_rest(first: int = 1000) -> Connection:
    """A connection on which both have said something and all of it is acknowledged."""
    connection = established(End(first, BUFFER), End((first + 12345) % (1 << 32), BUFFER))
    for side in (0, 1):
        connection.send(side, connection.ends[side].write(1000))
        connection.settle()
    return connection


def _data(connection: Connection, side: int, ahead: int, length: int = 1, flags: int = ACK | PSH) -> Segment:
    """What this end would send so many bytes ahead of where it stands."""
    end = connection.ends[side]
    return Segment(flags, end.nxt + ahead, end.rcv_nxt, BUFFER, length)


@every_first
@both_sides
@pytest.mark.parametrize(
    "ahead",
    [GRANTED + 1, 1 << 24, (1 << 31) - 1, 1 << 31, -(1 << 31) + 1, -(1 << 24), -3 * GRANTED],
)
def test_data_that_no_end_can_have_sent_is_dropped(first: int, side: int, ahead: int) -> None:
    """Wrong sequence numbers accepted; header length wraps the payload's.

    CVE-2023-6534. Ahead of the window the other end has told, or behind all it has acknowledged, over every
    wrap of the numbers.
    """
    connection = _at_rest(first)
    before = connection.router.row()
    for flags in (ACK | PSH, ACK, ACK | FIN, ACK | URG, RST, RST | ACK):
        verdict = connection.judge(side, _data(connection, side, ahead, 0 if flags & RST else 1, flags))
        assert verdict.reason == OUT_OF_WINDOW
    assert connection.router.row() == before
    connection.send(side, connection.ends[side].write(1000))
    connection.settle()


@every_first
@both_sides
@pytest.mark.parametrize(
    "ahead", [1, 2, BUFFER, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - (1 << 24)]
)
def test_an_acknowledgment_of_what_was_never_sent_is_dropped(first: int, side: int, ahead: int) -> None:
    """LAN attacker hijack.

    Strict: nor one of what is long forgotten. Each is without effect on what passes afterwards.
    """
    connection = _at_rest(first)
    end = connection.ends[side]
    forged = Segment(ACK, end.nxt, end.rcv_nxt + ahead, BUFFER)
    assert connection.judge(side, forged).reason == OUT_OF_WINDOW
    connection.send(side, end.write(1000))
    connection.send(1 - side, connection.ends[1 - side].write(1000))
    connection.settle()


@pytest.mark.parametrize("offset", [0, 1, 4, 6, 15])
def test_a_header_that_lies_about_its_length_changes_nothing(offset: int) -> None:
    """Wrong sequence numbers accepted; header length wraps the payload's.

    The data offset is checked before anything is reckoned with it: FreeBSD's length wrapped below zero.
    """
    connection = _at_rest()
    before = connection.router.row()
    for side in (0, 1):
        for flags in (ACK, FIN | ACK, RST):
            packet = bytearray(connection.packet(side, _data(connection, side, 0, 3, flags)))
            packet[32] = offset << 4
            tell = connection.router.try_out if side == 0 else connection.router.try_in
            assert tell(bytes(packet)) == ("tcp_header_invalid", b"")
    assert connection.router.row() == before
    connection.send(0, connection.ends[0].write(1000))
    connection.settle()


@every_first
@both_sides
def test_retransmissions_of_what_is_acknowledged_pass(first: int, side: int) -> None:
    """Window tracking too strict.

    The acknowledgments were lost behind the NAT, which has seen them: a whole window comes again, in
    other parts.
    """
    connection = _at_rest(first)
    end = connection.ends[side]
    sent = [end.write(1000) for _ in range(50)]
    for each in sent:
        connection.send(side, each)
    while connection.before[side]:
        assert connection.carry(side).reason == ""
    while connection.behind[side]:
        connection.deliver(side)
    while connection.before[1 - side]:
        assert connection.carry(1 - side).reason == ""
    connection.behind[1 - side].clear()
    for start in (0, 700, 30000, 49999):
        connection.send(side, end.again(start, 1460))
        assert connection.carry(side).reason == ""


@every_first
@both_sides
@pytest.mark.parametrize("garbage", [0, 1])
def test_keep_alives_and_their_answers_pass(first: int, side: int, garbage: int) -> None:
    """Window tracking too strict.

    One byte before what is expected, with a byte or without (RFC 9293 section 3.8.4); again and again.
    """
    connection = _at_rest(first)
    for _ in range(9):
        assert connection.send(side, connection.ends[side].keep_alive(garbage))
        connection.settle()
        connection.router.wait(7000)


@every_first
@both_sides
def test_a_window_that_closes_is_probed_and_opens(first: int, side: int) -> None:
    """Window tracking too strict.

    Probes with the next byte and without, acknowledgments of a closed window, the update, and all the rest.
    """
    connection = _at_rest(first)
    sender, receiver = connection.ends[side], connection.ends[1 - side]
    while connection.send(side, sender.write(10000)):
        connection.settle()
    assert receiver.window == 0
    for _ in range(3):
        assert connection.send(side, sender.probe_empty())
        connection.settle()
    assert connection.send(side, sender.probe())
    connection.settle()
    assert connection.send(side, sender.again(0, 1))
    connection.settle()
    connection.send(1 - side, receiver.read(1 << 30))
    connection.settle()
    assert connection.send(side, sender.write(10000))
    connection.settle()


@every_first
@pytest.mark.parametrize("shift", [0, 1, 7, 14])
def test_scaled_windows_are_used_to_the_last_byte(first: int, shift: int) -> None:
    """Window tracking too strict.

    Up to a gigabyte, the last byte arriving before the first (RFC 7323).
    """
    buffer = 65535 << shift
    connection = established(End(first, 65535, shift), End(first ^ 0x80000000, buffer, shift))
    near, far = connection.ends
    connection.send(1, far.acknowledge())
    connection.settle()
    assert near.right - near.nxt == buffer
    last = Segment(ACK | PSH, near.right - 1, near.rcv_nxt, near.window >> shift, 1)
    assert connection.judge(0, last).reason == ""
    beyond = Segment(ACK | PSH, near.right + GRANTED + 1, near.rcv_nxt, near.window >> shift, 1)
    assert connection.judge(0, beyond).reason == OUT_OF_WINDOW
    connection.send(0, near.write(1000))
    connection.settle()


@both_sides
def test_an_old_window_that_comes_late_closes_nothing(side: int) -> None:
    """Window tracking too strict.

    A window update overtakes acknowledgments of a smaller one; the other end uses the larger one.
    """
    connection = established(End(1000, 1 << 20, 7), End(5000, 1 << 20, 7))
    sender, receiver = connection.ends[side], connection.ends[1 - side]
    connection.send(1 - side, receiver.acknowledge())
    connection.settle()
    nearly_closed = Segment(ACK, receiver.nxt, receiver.rcv_nxt, 1)
    assert connection.judge(1 - side, nearly_closed).reason == ""
    last = Segment(ACK | PSH, sender.right - 1, sender.rcv_nxt, 8192, 1)
    assert sender.right - sender.nxt == 1 << 20
    assert connection.judge(side, last).reason == ""


@pytest.mark.parametrize("who", [0, 1], ids=["the client alone", "the server alone"])
def test_windows_are_not_scaled_unless_both_offer_it(who: int) -> None:
    """Wrong sequence numbers accepted; header length wraps the payload's.

    RFC 7323 section 2.2: else the NAT would believe in windows nobody has.
    """
    near, far = End(1000, BUFFER), End(5000, BUFFER)
    (near, far)[who].shift = 14
    connection = established(near, far)
    for side in (0, 1):
        connection.send(side, connection.ends[side].write(1000))
        connection.settle()
        assert connection.judge(side, _data(connection, side, 4 * BUFFER)).reason == OUT_OF_WINDOW


def test_data_with_the_syn_passes() -> None:
    """Window tracking too strict.

    RFC 7413: the server may take it, and acknowledge it, or not.
    """
    for taken in (0, 500):
        connection = Connection(End(1000), End(5000))
        syn = Segment(SYN, 1000, 0, BUFFER, 500, MSS + scale_option(7))
        answer = Segment(SYN | ACK, 5000, 1001 + taken, BUFFER, 300, MSS + scale_option(7))
        again = Segment(ACK | PSH, 1001 + taken, 5301, 400, 500)
        for side, sent in ((0, syn), (0, syn), (1, answer), (1, answer), (0, again)):
            assert connection.judge(side, sent).reason == ""


@both_sides
def test_a_half_closed_connection_goes_on_for_long(side: int) -> None:
    """Window tracking too strict.

    One end has said its last; the other sends megabytes, and the FIN may come again.
    """
    connection = _at_rest()
    silent, talking = connection.ends[side], connection.ends[1 - side]
    assert connection.send(side, silent.close())
    connection.settle()
    for _ in range(200):
        assert connection.send(1 - side, talking.write(20000))
        connection.settle()
        connection.send(side, silent.read(1 << 30))
        connection.settle()
    connection.router.wait(7000)
    fin = Segment(FIN | ACK, silent.nxt - 1, silent.rcv_nxt, BUFFER)
    assert connection.judge(side, fin).reason == ""
    assert connection.send(1 - side, talking.close(100))
    connection.settle()
    assert connection.state == "closing"
    assert connection.judge(side, silent.acknowledge() or fin).reason == ""


def test_a_connection_goes_on_over_a_restart(tmp_path: Path) -> None:
    """Window tracking too strict.

    What is known of its windows is in the file, or learned anew; nothing true is dropped after it.
    """
    file = str(tmp_path / "state")
    connection = established(
        End(1000, 1_000_000, 7), End((1 << 32) - 5, 1_000_000, 7), Router(policy(), path=file)
    )
    for side in (0, 1):
        connection.send(side, connection.ends[side].write(60000))
        connection.settle()
    connection.router.table.close()
    connection.router = Router(policy(), path=file)
    for side in (1, 0):
        connection.send(side, connection.ends[side].write(60000))
        connection.send(side, connection.ends[side].again(30000, 1000))
        connection.settle()
