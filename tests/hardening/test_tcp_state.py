"""Who is not part of a connection cannot end it, take it over or stop it; who is, may begin it anew."""

from dataclasses import replace

import pytest
from hot.packets import ACK, FIN, PSH, RST, SYN, UNREACHABLE, error, quote_of, read
from hot.router import (
    CLIENT,
    EXTERNAL,
    HOP,
    OTHER_CLIENT,
    OTHER_SERVER,
    SERVER,
    Router,
    policy,
)

from nfmasq.policy import Filtering, Timeouts

from .segments import fields, segment
from .tcp_end import End, Segment
from .tcp_path import NEAR_PORT, Connection, established

LONG, SHORT = Timeouts().tcp_established, Timeouts().tcp_transitory
WAIT = 100
GUESSES = [
    1,
    -1,
    2,
    1000,
    -1000,
    30000,
    59999,
    60001,
    1 << 20,
    -(1 << 20),
    1 << 30,
    (1 << 31) - 1,
    -(1 << 31) + 1,
]
both_sides = pytest.mark.parametrize("side", [0, 1], ids=["from inside", "from outside"])
FRAGMENTATION_NEEDED = 4


def _talking() -> Connection:
    """A connection on which both have said something, and then nothing for a while."""
    connection = established(End(1000), End((1 << 32) - 500))
    for side in (0, 1):
        connection.send(side, connection.ends[side].write(1000))
        connection.settle()
    connection.router.wait(WAIT)
    return connection


def _goes_on(connection: Connection) -> None:
    """Both ends still speak, and the NAT lets them."""
    for side in (0, 1):
        assert connection.send(side, connection.ends[side].write(1000))
        connection.settle()
        assert connection.send(1 - side, connection.ends[1 - side].read(1 << 30))
        connection.settle()
    assert connection.state == "established"
    assert connection.router.row().expires_s == LONG


@both_sides
@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_a_blind_reset_changes_nothing(side: int, flags: int) -> None:
    """Blind RST removes a mapping.

    ReDAN: whatever number is guessed, near or far, neither state nor timer changes. What is in the window may
    pass, for its receiver answers it by a challenge (RFC 5961).
    """
    connection = _talking()
    end, before = connection.ends[side], connection.router.row()
    for guess in GUESSES:
        verdict = connection.judge(side, Segment(flags, end.nxt + guess, end.rcv_nxt))
        assert verdict.reason in {"", "tcp_out_of_window"}
        row = connection.router.row()
        assert (row.state, row.expires_s, row.external) == (before.state, before.expires_s, before.external)
    _goes_on(connection)


@both_sides
def test_an_exact_reset_shortens_the_timer_and_keeps_the_mapping(side: int) -> None:
    """Blind RST removes a mapping.

    Not even a true one does at once: the transitory time is left to them who do not believe it (RFC 7857
    section 2.2).
    """
    connection = _talking()
    end = connection.ends[side]
    external = connection.router.row().external
    assert connection.judge(side, Segment(RST, end.nxt, 0)).reason == ""
    row = connection.router.row()
    assert (row.state, row.expires_s, row.external) == ("reset", SHORT, external)
    connection.router.wait(SHORT - 1)
    assert connection.router.row().external == external
    assert connection.router.wait(1) == 1


@both_sides
def test_a_connection_outlives_a_reset_that_was_not_believed(side: int) -> None:
    """Blind RST removes a mapping.

    Forged with the right number it costs no more than the longer timer, until the next true segment.
    """
    connection = _talking()
    assert connection.judge(side, Segment(RST, connection.ends[side].nxt, 0)).reason == ""
    _goes_on(connection)


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


def test_an_external_port_rests_after_its_connection_closed() -> None:
    """LAN attacker hijack.

    Closed or reset, its port goes to nobody else before the transitory time is over.
    """
    for last in ("closed", "reset"):
        connection = established(router=Router(policy(ports=(2000, 2003))))
        for side in (0, 1):
            end = connection.ends[side]
            connection.send(side, end.close() if last == "closed" else end.abort())
            connection.settle()
        connection.router.wait(SHORT - 1)
        taken = [
            connection.router.try_out(segment(OTHER_CLIENT, 50000 + number, OTHER_SERVER, 80))
            for number in range(4)
        ]
        ports = {read(packet).source_port for reason, packet in taken if not reason}
        assert len(ports) == 3
        assert connection.external_port not in ports


@pytest.mark.parametrize("source", [OTHER_CLIENT, EXTERNAL, SERVER], ids=str)
def test_another_host_s_segments_are_none_of_a_connection(source: object) -> None:
    """LAN attacker hijack.

    With all its numbers right, but not its address; the connection does not notice.
    """
    connection = _talking()
    end, before = connection.ends[0], connection.router.row()
    for flags in (ACK, ACK | FIN, RST):
        packet = segment(
            OTHER_CLIENT if source == OTHER_CLIENT else EXTERNAL if source == EXTERNAL else SERVER,
            NEAR_PORT, SERVER, 80, flags, sequence=end.nxt, acknowledged=end.rcv_nxt,
        )  # fmt: skip
        assert connection.router.try_out(packet)[0] in {"tcp_no_session", "source_not_internal"}
    assert connection.router.row() == before
    _goes_on(connection)


@both_sides
@pytest.mark.parametrize("first", [0, 1, 3000, 1 << 20, 1 << 31, (1 << 32) - 1])
def test_a_forged_syn_stops_no_connection(side: int, first: int) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    It may pass, and its receiver answers by a challenge; neither end's numbers are forgotten by it.
    """
    connection = _talking()
    options = connection.ends[side]._syn().options
    connection.judge(side, Segment(SYN, first, 0, 64000, options=options))
    connection.judge(side, Segment(SYN | ACK, first, 77, 64000, options=options))
    challenge = connection.ends[1 - side].acknowledge()
    assert challenge is not None
    assert connection.judge(1 - side, challenge).reason == ""
    _goes_on(connection)
    far_off = Segment(ACK, connection.ends[side].nxt + (1 << 20), connection.ends[side].rcv_nxt, 1000, 1)
    assert connection.judge(side, far_off).reason == "tcp_out_of_window"


@pytest.mark.parametrize("first", [0, 1500, 3000, 1 << 20, 1 << 31, (1 << 32) - 1])
def test_a_client_that_forgot_its_connection_begins_it_anew(first: int) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    SYN, challenge, reset, SYN again, and the handshake (RFC 5961 section 4): all of it passes.
    """
    connection = _talking()
    far = connection.ends[1]
    near = End(first)
    connection.ends = (near, far)
    connection.send(0, near.open())
    connection.settle()
    if not near.is_open:
        connection.ends = (near, End(777777))
        connection.send(0, near.again(0, 0))
        connection.settle()
    _goes_on(connection)


@pytest.mark.parametrize("first", [2000, 3000, 1 << 20, 1 << 31, (1 << 32) - 1])
@pytest.mark.parametrize("shifts", [(None, None), (7, 7), (7, None), (14, 2)])
def test_a_server_that_forgot_the_connection_believes_a_new_syn(
    first: int, shifts: tuple[int | None, int | None]
) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    Both were started anew: no challenge, but a SYN-ACK with numbers nobody has seen.
    """
    connection = _talking()
    connection.ends = (End(first, 1 << 20, shifts[0]), End(first ^ 0xF0F0F0F0, 1 << 20, shifts[1]))
    connection.send(0, connection.ends[0].open())
    connection.settle()
    assert all(end.is_open for end in connection.ends)
    _goes_on(connection)


def test_a_server_that_forgot_the_connection_resets_it() -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    Its answer to whatever comes has the number its peer expects, and counts.
    """
    connection = _talking()
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
    connection = _talking()
    for side in (0, 1):
        end = connection.ends[side]
        connection.send(side, end.close() if ended_by == "closed" else end.abort())
        connection.settle()
    assert connection.state == ("closing" if ended_by == "closed" else "reset")
    connection.ends = (End(first), End((first + (1 << 30)) % (1 << 32)))
    connection.send(0, connection.ends[0].open())
    connection.settle()
    _goes_on(connection)


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
    _goes_on(connection)


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


@pytest.mark.parametrize("guess", [1, 2, 60000, 1 << 18, 1 << 24, (1 << 31) - 1, -(1 << 18), -(1 << 24)])
@both_sides
def test_an_error_must_quote_a_segment_that_can_be_under_way(side: int, guess: int) -> None:
    """Forged fragmentation-needed.

    ReDAN, RFC 5927 section 4.1: who has not seen the connection does not know the number. Both ways.
    """
    connection = _talking()
    end = connection.ends[side]
    for code in (FRAGMENTATION_NEEDED, 1, 3):
        guessed = replace(Segment(ACK, end.nxt, end.rcv_nxt, 100, 500), sequence=end.nxt + guess)
        assert _about(connection, side, guessed, code)[0] == "icmp_quote_out_of_window"
    _goes_on(connection)


@both_sides
def test_a_true_error_about_a_segment_under_way_passes(side: int) -> None:
    """Forged fragmentation-needed.

    About the first segment of a flight and about the last, unanswered or sent again.
    """
    connection = _talking()
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
