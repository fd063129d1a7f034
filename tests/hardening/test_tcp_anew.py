"""Connections begun anew on the endpoints of one that a NAT still knows, or begun from both ends at once."""

import pytest
from support.packets import ACK, FIN, PSH, RST, SYN, read
from support.router import CLIENT, EXTERNAL, OTHER_SERVER, SERVER, Router, policy

from hardening.segments import segment
from hardening.tcp_end import End, Segment
from hardening.tcp_path import NEAR_PORT, Connection, established, exchanging, goes_on
from nfmasq.core.policy import Filtering

both_sides = pytest.mark.parametrize("side", [0, 1], ids=["from inside", "from outside"])


@both_sides
@pytest.mark.parametrize("first", [0, 1, 3000, 1 << 20, 1 << 31, (1 << 32) - 1])
def test_a_forged_syn_stops_no_connection(side: int, first: int) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    It may pass, and its receiver answers by a challenge; neither end's numbers are forgotten by it.
    """
    connection = exchanging()
    options = connection.ends[side]._syn().options
    connection.judge(side, Segment(SYN, first, 0, 64000, options=options))
    connection.judge(side, Segment(SYN | ACK, first, 77, 64000, options=options))
    challenge = connection.ends[1 - side].acknowledge()
    assert challenge is not None
    assert connection.judge(1 - side, challenge).reason == ""
    goes_on(connection)
    far_off = Segment(ACK, connection.ends[side].nxt + (1 << 20), connection.ends[side].rcv_nxt, 1000, 1)
    assert connection.judge(side, far_off).reason == "tcp_out_of_window"


@pytest.mark.parametrize("first", [0, 1500, 3000, 1 << 20, 1 << 31, (1 << 32) - 1])
def test_a_client_that_forgot_its_connection_begins_it_anew(first: int) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    SYN, challenge, reset, SYN again, and the handshake (RFC 5961 section 4): all of it passes.
    """
    connection = exchanging()
    far = connection.ends[1]
    near = End(first)
    connection.ends = (near, far)
    connection.send(0, near.open())
    connection.settle()
    if not near.is_open:
        connection.ends = (near, End(777777))
        connection.send(0, near.again(0, 0))
        connection.settle()
    goes_on(connection)


@pytest.mark.parametrize("first", [2000, 3000, 1 << 20, 1 << 31, (1 << 32) - 1])
@pytest.mark.parametrize("shifts", [(None, None), (7, 7), (7, None), (14, 2)])
def test_a_server_that_forgot_the_connection_believes_a_new_syn(
    first: int, shifts: tuple[int | None, int | None]
) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    Both were started anew: no challenge, but a SYN-ACK with numbers nobody has seen.
    """
    connection = exchanging()
    connection.ends = (End(first, 1 << 20, shifts[0]), End(first ^ 0xF0F0F0F0, 1 << 20, shifts[1]))
    connection.send(0, connection.ends[0].open())
    connection.settle()
    assert all(end.is_open for end in connection.ends)
    goes_on(connection)


@pytest.mark.parametrize("before", ["established", "reset", "closing"])
@pytest.mark.parametrize("shifts", [(7, 7), (7, None), (None, 7), (14, 2)])
@pytest.mark.parametrize("old", [7, None])
def test_a_connection_begun_anew_uses_its_whole_window(
    old: int | None, shifts: tuple[int | None, int | None], before: str
) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    Its windows are those of its own SYNs, whatever the old one's were.
    """
    connection = established(End(1000, 1 << 20, old), End(5000, 1 << 20, old))
    for side in (0, 1):
        end = connection.ends[side]
        if before == "reset":
            connection.send(side, end.abort())
        if before == "closing":
            connection.send(side, end.close())
        connection.settle()
    assert connection.state == before
    connection.ends = (End(77000, 1 << 20, shifts[0]), End(99000, 1 << 20, shifts[1]))
    connection.send(0, connection.ends[0].open())
    connection.settle()
    for side in (1, 0):
        connection.send(side, connection.ends[side].acknowledge())
        connection.settle()
    for end, side in zip(connection.ends, (0, 1), strict=True):
        while (sent := end.write(30000)) is not None:
            assert connection.judge(side, sent).reason == ""
        assert end.nxt == end.right


def test_a_server_that_forgot_the_connection_resets_it() -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    Its answer to whatever comes has the number its peer expects, and counts.
    """
    connection = exchanging()
    connection.ends[1].state = "dead"
    connection.send(0, connection.ends[0].keep_alive(0))
    connection.settle()
    assert connection.state == "reset"
    assert connection.ends[0].state == "dead"


@pytest.mark.parametrize("ended_by", ["closed", "reset"])
@pytest.mark.parametrize("first", [0, 5000, 1 << 31, (1 << 32) - 1])
def test_a_connection_that_ended_is_opened_again(ended_by: str, first: int) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    From the same port to the same, with whatever numbers.
    """
    connection = exchanging()
    for side in (0, 1):
        end = connection.ends[side]
        connection.send(side, end.close() if ended_by == "closed" else end.abort())
        connection.settle()
    assert connection.state == ("closing" if ended_by == "closed" else "reset")
    connection.ends = (End(first), End((first + (1 << 30)) % (1 << 32)))
    connection.send(0, connection.ends[0].open())
    connection.settle()
    goes_on(connection)


def test_the_handshake_s_segments_may_come_again_and_again() -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    The SYN before and after its answer, the answer before and after its acknowledgment.
    """
    connection = Connection(End(1000), End(5000))
    near, far = connection.ends
    syn = near.open()
    (answer,) = far.receive(syn)
    (last,) = near.receive(answer)
    for side, sent in (
        (0, syn), (0, syn), (1, answer), (0, syn), (1, answer), (0, last), (1, answer), (0, last), (0, syn),
    ):  # fmt: skip
        assert connection.judge(side, sent).reason == ""
    far.receive(last)
    goes_on(connection)


@pytest.mark.parametrize("crossing", [True, False], ids=["both SYNs cross", "the client's comes second"])
def test_both_ends_may_open_at_once(crossing: bool) -> None:
    """Simultaneous open, unsolicited SYN probing.

    RFC 5382 REQ-2: SYNs cross, each is answered by a SYN-ACK, and data flow.
    """
    router = Router()
    router.out(segment(CLIENT, NEAR_PORT, SERVER, 81))
    connection = Connection(End(1000, 1 << 20, 7), End(5000, 1 << 20, 7), router)
    connection.external_port = router.rows()[0].external[1]
    syns = [end.open() for end in connection.ends]
    for side in (0, 1) if crossing else (1, 0):
        assert connection.judge(side, syns[side]).reason == ""
    for side in (0, 1):
        for answer in connection.ends[1 - side].receive(syns[side]):
            connection.send(1 - side, answer)
    connection.settle()
    assert all(end.is_open for end in connection.ends)
    (row,) = [row for row in router.rows() if row.remote[1] == 80]
    assert row.state == "established"
    for side in (0, 1):
        assert connection.send(side, connection.ends[side].write(60000))
        connection.settle()


def test_a_syn_nobody_asked_for_is_answered_late() -> None:
    """Simultaneous open, unsolicited SYN probing.

    RFC 5382 REQ-4: silence for six seconds, then port unreachable, from the address it was sent to.
    """
    router = Router(policy(filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT))
    near = read(router.out(segment(CLIENT, NEAR_PORT, OTHER_SERVER, 80))).source_port
    syn = segment(SERVER, 80, EXTERNAL, near, SYN, sequence=5)
    assert router.try_in(syn) == ("filtered", b"")
    for _ in range(6):
        assert router.table.refusals(router.now) == []
        router.wait(1)
    router.wait(2)
    (refusal,) = router.table.refusals(router.now)
    assert (refusal.destination, refusal.source, refusal.code) == (SERVER, EXTERNAL, 3)
    assert refusal.quote == syn[: len(refusal.quote)]
    assert len(refusal.quote) >= 28


def test_a_syn_the_client_meets_with_its_own_in_time_is_not_refused() -> None:
    """Simultaneous open, unsolicited SYN probing.

    RFC 5382 REQ-4 a: the outbound SYN makes it a simultaneous open; and segments that are no SYN are never
    answered, so nobody learns of ports by them.
    """
    router = Router(policy(filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT))
    near = read(router.out(segment(CLIENT, NEAR_PORT, OTHER_SERVER, 80))).source_port
    router.try_in(segment(SERVER, 80, EXTERNAL, near, SYN, sequence=5))
    for flags in (ACK, SYN | ACK, RST, FIN | ACK, PSH | ACK):
        assert router.try_in(segment(SERVER, 81, EXTERNAL, near, flags, sequence=5))[0] != ""
    router.wait(5)
    router.out(segment(CLIENT, NEAR_PORT, SERVER, 80))
    router.wait(5)
    assert router.table.refusals(router.now) == []


@pytest.mark.parametrize("before", ["established", "reset", "closing"])
def test_a_new_syn_may_be_refused(before: str) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    The client was started anew and nothing listens at the server any more: its answer has no number but the
    SYN's, and must come through.
    """
    connection = exchanging()
    if before == "reset":
        connection.judge(0, Segment(RST, connection.ends[0].nxt, 0))
    if before == "closing":
        for side in (0, 1):
            connection.send(side, connection.ends[side].close())
            connection.settle()
    assert connection.state == before
    assert connection.judge(0, Segment(SYN, 900000, 0, 64000)).reason == ""
    assert connection.judge(1, Segment(RST | ACK, 0, 900001)).reason == ""
