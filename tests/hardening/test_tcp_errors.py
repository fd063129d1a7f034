"""ICMP errors about TCP: who has not seen the connection cannot forge one."""

from dataclasses import replace

import pytest
from support.packets import ACK, UNREACHABLE, error, quote_of
from support.router import CLIENT, EXTERNAL, HOP, SERVER

from hardening.segments import fields, segment
from hardening.tcp_end import Segment
from hardening.tcp_path import NEAR_PORT, Connection, exchanging, goes_on

both_sides = pytest.mark.parametrize("side", [0, 1], ids=["from inside", "from outside"])
FRAGMENTATION_NEEDED = 4


@pytest.mark.parametrize("guess", [1, 2, 60000, 1 << 18, (1 << 31) - 1, 1 << 31, -(1 << 18), -(1 << 24)])
@both_sides
def test_an_error_must_quote_a_segment_that_can_be_under_way(side: int, guess: int) -> None:
    """Forged fragmentation-needed.

    ReDAN, RFC 5927 section 4.1: who has not seen the connection does not know the number. Both ways.
    """
    connection = exchanging()
    end = connection.ends[side]
    for code in (FRAGMENTATION_NEEDED, 1, 3):
        guessed = replace(Segment(ACK, end.nxt, end.rcv_nxt, 100, 500), sequence=end.nxt + guess)
        assert _about(connection, side, guessed, code)[0] == "icmp_quote_out_of_window"
    goes_on(connection)


@both_sides
def test_a_true_error_about_a_segment_under_way_passes(side: int) -> None:
    """Forged fragmentation-needed.

    About the first segment of a flight and about the last, unanswered or sent again.
    """
    connection = exchanging()
    end = connection.ends[side]
    flight = [end.write(1000) for _ in range(40)]
    flight += [end.again(0, 1000), end.again(39000, 1000)]
    for sent in flight:
        assert sent is not None
        assert connection.judge(side, sent).reason == ""
    for sent in flight:
        assert sent is not None
        reason, told = _about(connection, side, sent, FRAGMENTATION_NEEDED)
        assert reason == ""
        assert fields(quote_of(told)).sequence == sent.sequence % (1 << 32)


def _about(connection: Connection, side: int, sent: Segment, code: int) -> tuple[str, bytes]:
    """An error from the far side of the NAT about a segment of this end, as it was there."""
    if side == 0:
        row = segment(
            EXTERNAL, connection.external_port, SERVER, 80, sent.flags,
            sequence=sent.sequence, acknowledged=sent.acknowledged, payload=bytes(sent.length),
        )  # fmt: skip
        return connection.router.try_in(error(HOP, EXTERNAL, row, UNREACHABLE, code, rest=1400))
    row = segment(
        SERVER, 80, CLIENT, NEAR_PORT, sent.flags,
        sequence=sent.sequence, acknowledged=sent.acknowledged, payload=bytes(sent.length),
    )  # fmt: skip
    return connection.router.try_out(error(CLIENT, SERVER, row, UNREACHABLE, code, rest=1400))
