"""Who is not part of a connection cannot end it; who is, can, and only by and by."""

from ipaddress import IPv4Address

import pytest
from support.packets import ACK, FIN, RST, SYN, read
from support.router import EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy

from hardening.segments import segment
from hardening.tcp_end import End, Segment
from hardening.tcp_path import NEAR_PORT, Connection, established, exchanging, goes_on
from nfmasq.core.policy import Timeouts

LONG, SHORT = Timeouts().tcp_established, Timeouts().tcp_transitory
GUESSES = [1, -1, 2, 1000, -1000, 30000, 59999, 60001, 1 << 20, -(1 << 20), 1 << 30, -(1 << 30)]
GUESSES += [(1 << 31) - 1, -(1 << 31) + 1]
both_sides = pytest.mark.parametrize("side", [0, 1], ids=["from inside", "from outside"])


@both_sides
@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_a_blind_reset_changes_nothing(side: int, flags: int) -> None:
    """Blind RST removes a mapping.

    ReDAN: whatever number is guessed, near or far, neither state nor timer changes. What is in the window may
    pass, for its receiver answers it by a challenge (RFC 5961).
    """
    connection = exchanging()
    end, before = connection.ends[side], connection.router.row()
    for guess in GUESSES:
        verdict = connection.judge(side, Segment(flags, end.nxt + guess, end.rcv_nxt))
        assert verdict.reason in {"", "tcp_out_of_window"}
        row = connection.router.row()
        assert (row.state, row.expires_s, row.external) == (before.state, before.expires_s, before.external)
    goes_on(connection)


@both_sides
def test_an_exact_reset_shortens_the_timer_and_keeps_the_mapping(side: int) -> None:
    """Blind RST removes a mapping.

    Not even a true one does at once: the transitory time is left to them who do not believe it (RFC 7857
    section 2.2).
    """
    connection = exchanging()
    end = connection.ends[side]
    external = connection.router.row().external
    assert connection.judge(side, Segment(RST, end.nxt, 0)).reason == ""
    row = connection.router.row()
    assert (row.state, row.expires_s, row.external) == ("reset", SHORT, external)
    connection.router.wait(SHORT - 1)
    assert connection.router.row().external == external
    assert connection.router.wait(1) == 1


@both_sides
@pytest.mark.parametrize("first", [0, 77, 2000, 1 << 31])
def test_a_syn_after_a_reset_that_was_not_believed_changes_nothing(side: int, first: int) -> None:
    """Blind RST removes a mapping.

    A forged SYN on top of it does not make the NAT forget what both ends go on with.
    """
    connection = exchanging()
    assert connection.judge(side, Segment(RST, connection.ends[side].nxt, 0)).reason == ""
    connection.judge(side, Segment(SYN, first, 0, 64000))
    goes_on(connection)


@both_sides
def test_a_reset_behind_data_still_under_way_counts(side: int) -> None:
    """Blind RST removes a mapping.

    An end that gives up stands behind all it has sent, acknowledged or not.
    """
    connection = exchanging()
    end = connection.ends[side]
    for sent in (end.write(1000), end.write(1000), end.abort()):
        assert sent is not None
        assert connection.judge(side, sent).reason == ""
    assert connection.state == "reset"


@both_sides
def test_a_reset_by_one_who_forgot_what_it_sent_counts(side: int) -> None:
    """Blind RST removes a mapping.

    What it had sent was lost; its answer has the number that its peer still expects.
    """
    connection = exchanging()
    end, peer = connection.ends[side], connection.ends[1 - side]
    lost = end.write(1000)
    assert lost is not None
    assert connection.judge(side, lost).reason == ""
    end.state = "dead"
    connection.send(1 - side, peer.keep_alive(0))
    connection.settle()
    assert connection.state == "reset"
    assert peer.state == "dead"


@both_sides
def test_a_connection_outlives_a_reset_that_was_not_believed(side: int) -> None:
    """Blind RST removes a mapping.

    Forged with the right number it costs no more than the longer timer, until the next true segment.
    """
    connection = exchanging()
    assert connection.judge(side, Segment(RST, connection.ends[side].nxt, 0)).reason == ""
    goes_on(connection)


@pytest.mark.parametrize("acknowledged", [0, 1000, 1002, 999, 1001 + (1 << 31)])
def test_a_refusal_must_answer_the_syn(acknowledged: int) -> None:
    """Blind RST removes a mapping.

    While the handshake is under way, one that does not acknowledge the SYN ends nothing; the true one passes.
    """
    connection = Connection(End(1000), End(5000))
    connection.send(0, connection.ends[0].open())
    assert connection.carry(0).reason == ""
    before = connection.router.row()
    connection.judge(1, Segment(RST | ACK, 0, acknowledged))
    row = connection.router.row()
    assert (row.state, row.expires_s) == (before.state, before.expires_s)
    assert connection.judge(1, Segment(RST | ACK, 0, 1001)).reason == ""
    assert connection.router.row().expires_s <= SHORT


@pytest.mark.parametrize("acknowledged", [0, 1000, 1002, 70000, 1001 + (1 << 31)])
def test_a_forged_answer_to_a_syn_opens_nothing(acknowledged: int) -> None:
    """LAN attacker hijack.

    A SYN-ACK that does not acknowledge the SYN is for the client to reset; the NAT goes on waiting.
    """
    connection = Connection(End(1000), End(5000))
    connection.send(0, connection.ends[0].open())
    assert connection.carry(0).reason == ""
    before = connection.router.row()
    connection.judge(1, Segment(SYN | ACK, 1 << 30, acknowledged, 65535))
    row = connection.router.row()
    assert (row.state, row.expires_s) == (before.state, before.expires_s)
    for side in (0, 1):
        while connection.behind[side]:
            connection.deliver(side)
    connection.settle()
    goes_on(connection)


def test_an_external_port_rests_after_its_connection_closed() -> None:
    """LAN attacker hijack.

    Closed or reset, its port goes to nobody else before the transitory time is over, while another is free.
    """
    for last in ("closed", "reset"):
        connection = established(router=Router(policy(ports=((2000, 2039),))))
        for side in (0, 1):
            end = connection.ends[side]
            connection.send(side, end.close() if last == "closed" else end.abort())
            connection.settle()
        connection.router.wait(SHORT - 1)
        taken = [
            connection.router.try_out(segment(OTHER_CLIENT, 50000 + number, OTHER_SERVER, 80))
            for number in range(36)
        ]
        ports = {read(packet).source_port for reason, packet in taken if not reason}
        assert len(ports) == 36
        assert connection.external_port not in ports


@pytest.mark.parametrize("source", [OTHER_CLIENT, EXTERNAL, SERVER], ids=str)
def test_another_host_s_segments_are_none_of_a_connection(source: IPv4Address) -> None:
    """LAN attacker hijack.

    With all its numbers right, but not its address; the connection does not notice.
    """
    connection = exchanging()
    end, before = connection.ends[0], connection.router.row()
    for flags in (ACK, ACK | FIN, RST):
        packet = segment(source, NEAR_PORT, SERVER, 80, flags, sequence=end.nxt, acknowledged=end.rcv_nxt)
        assert connection.router.try_out(packet)[0] in {"tcp_no_session", "source_not_internal"}
    assert connection.router.row() == before
    goes_on(connection)
