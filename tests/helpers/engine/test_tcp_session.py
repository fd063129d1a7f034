"""Segment by segment: what goes on, what waits, and with which numbers."""

from ipaddress import IPv4Address

import pytest
from support.packets import ACK, FIN, HEADER, PSH, RST, SYN, URG, l4_at, sums_are_right

from helpers.engine.bed import CLIENT, LONG, SHORT, Bed, Connection, flags_of, payload_of
from helpers.engine.here import HERE, HI, text_of
from helpers.engine.scripted import Scripted, bed_of
from nfmasq.helpers.engine import segment as tcp
from nfmasq.helpers.engine import sending
from nfmasq.helpers.engine.stream import Stream
from nfmasq.helpers.kit.base import Reading, Side

SPEECH = HI + HERE


def external(bed: Bed, port: int = 5000) -> bytes:
    """What is written in place of CLIENT's endpoint."""
    (row,) = [row for row in bed.table.mappings() if row.internal == (CLIENT, port)]
    return text_of(*row.external)


def heard(bed: Bed) -> bytes:
    """What SERVER hears for HERE."""
    return b"HERE " + external(bed) + b"\r\n"


@pytest.mark.parametrize("cut", range(1, len(SPEECH)))
def test_a_message_in_two_segments_goes_on_with_the_second(
    bed: Bed, connection: Connection, cut: int
) -> None:
    first = connection.send(0, SPEECH[:cut])
    second = connection.send(0, SPEECH[cut:], at=cut)
    assert payload_of(first[0]) + payload_of(second[0]) == HI + heard(bed)
    assert connection.heard(0, second[0]) == len(payload_of(first[0]))
    assert all(sums_are_right(packet) for packet in first + second)


def test_what_waits_leaves_an_acknowledgment_behind(connection: Connection) -> None:
    (waiting,) = connection.send(0, SPEECH[:8], flags=ACK | PSH)
    assert payload_of(waiting) == HI
    (waiting,) = connection.send(0, SPEECH[8:12], at=8, flags=ACK | PSH, acked=3)
    assert (payload_of(waiting), flags_of(waiting), connection.heard(0, waiting)) == (b"", ACK, len(HI))
    assert connection.told(0, waiting) == 3


def test_a_line_that_is_typed_slowly_is_left_alone(bed: Bed, connection: Connection) -> None:
    assert connection.say(0, SPEECH[:20]) == HI
    bed.now += 0.9
    assert connection.say(0, SPEECH[4:20], at=4) == b""
    bed.now += 0.2
    assert connection.say(0, SPEECH[4:20], at=4) == SPEECH[4:20]
    assert connection.say(0, SPEECH[20:], at=20) == SPEECH[20:]
    assert len(bed.table.let) == 1


def test_a_line_without_an_end_is_let_go(bed: Bed, connection: Connection) -> None:
    connection.say(0, HI)
    sent = b"".join(connection.say(0, b"x" * 1000, at=4 + at) for at in range(0, 5000, 1000))
    assert sent == b"x" * 5000
    assert len(bed.table.let) == 1


def test_an_early_segment_waits_for_the_one_before_it(bed: Bed, connection: Connection) -> None:
    (early,) = connection.send(0, SPEECH[9:], at=9, flags=ACK | PSH | FIN)
    assert (payload_of(early), flags_of(early), connection.heard(0, early)) == (b"", ACK, 0)
    assert connection.say(0, SPEECH[:9]) == HI + heard(bed)


def test_early_segments_that_touch_are_joined(bed: Bed, connection: Connection) -> None:
    for start, end in ((20, len(SPEECH)), (9, 14), (14, 20)):
        assert connection.say(0, SPEECH[start:end], at=start) == b""
    assert connection.say(0, SPEECH[:9]) == HI + heard(bed)


def test_a_segment_that_repeats_and_goes_on(bed: Bed, connection: Connection) -> None:
    connection.say(0, HI)
    assert connection.say(0, SPEECH) == HI + heard(bed)


@pytest.mark.parametrize("at", range(len(HI), len(SPEECH)))
def test_a_late_repetition_is_rewritten_as_before(bed: Bed, connection: Connection, at: int) -> None:
    connection.say(0, SPEECH)
    for line in range(3):
        connection.say(0, b"more\r\n", at=len(SPEECH) + 6 * line)
    whole = HI + heard(bed)
    (again,) = connection.send(0, SPEECH[at:], at=at)
    behind = payload_of(again)
    assert whole.endswith(behind)
    assert connection.heard(0, again) == len(whole) - len(behind)


def test_what_was_acknowledged_and_folded_is_never_sent_as_it_was(bed: Bed, connection: Connection) -> None:
    speech = HI + HERE + b"AGAIN " + text_of(CLIENT, 5000) + b"\r\n"
    speech += speech[len(HI + HERE) :] * 60
    at, sent = 0, b""
    for line in speech.splitlines(keepends=True):
        (packet,) = connection.send(0, line, at=at)
        sent += payload_of(packet)
        at += len(line)
        connection.send(1, acked=len(sent))
    assert str(CLIENT).encode() not in sent
    for start in range(0, len(speech) - 10):
        (packet,) = connection.send(0, speech[start : start + 10], at=start)
        assert str(CLIENT).encode()[:6] not in payload_of(packet)
        assert sent[connection.heard(0, packet) :].startswith(payload_of(packet))
    assert connection.heard(0, connection.send(0, at=at)[0]) == len(sent)


def test_acknowledgments_go_back(bed: Bed, connection: Connection) -> None:
    connection.say(0, SPEECH)
    size = len(HI + heard(bed))
    assert connection.told(1, connection.send(1, acked=4)[0]) == 4
    assert connection.told(1, connection.send(1, acked=size)[0]) == len(SPEECH)
    assert connection.told(1, connection.send(1, acked=size - 1)[0]) == len(SPEECH) - 1
    assert connection.told(1, connection.send(1, b"HI\r\n", acked=size)[0]) == len(SPEECH)


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_sack_blocks_are_told_as_the_sender_counts(address: IPv4Address) -> None:
    bed = Bed(external=(address,))
    connection = Connection(bed).open()
    connection.say(0, SPEECH)
    first, old, new = connection.numbers[0] + 1, len(text_of(CLIENT, 5000)), len(external(bed))
    begin = len(HI) + 5
    for inside in range(new + 1):
        block = first + begin + inside, first + len(HI + heard(bed))
        edges = b"".join(edge.to_bytes(4) for edge in block)
        (packet,) = connection.send(1, acked=4, options=bytes([1, 1, 5, 10]) + edges)
        option = packet[l4_at(packet) + 20 :]
        told = [int.from_bytes(option[at : at + 4]) - first for at in (4, 8)]
        assert option[:4] == bytes([1, 1, 5, 10])
        assert told == [begin + min(inside, old), len(SPEECH)]


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_a_sack_block_that_ends_in_a_text_covers_no_byte_too_many(address: IPv4Address) -> None:
    bed = Bed(external=(address,))
    connection = Connection(bed).open()
    connection.say(0, SPEECH)
    first, old, new = connection.numbers[0] + 1, len(text_of(CLIENT, 5000)), len(external(bed))
    begin = len(HI) + 5
    for inside in range(1, new + 1):
        edges = b"".join((first + edge).to_bytes(4) for edge in (2, begin + inside))
        (packet,) = connection.send(1, acked=1, options=bytes([1, 1, 5, 10]) + edges)
        option = packet[l4_at(packet) + 20 :]
        told = [int.from_bytes(option[at : at + 4]) - first for at in (4, 8)]
        assert told == [2, begin + (old if inside == new else min(inside, old - 1))]


@pytest.mark.parametrize("address", [SHORT, LONG])
@pytest.mark.parametrize("garbage", [b"", b"\0"])
def test_a_keep_alive_is_old_for_the_receiver_too(address: IPv4Address, garbage: bytes) -> None:
    connection = Connection(Bed(external=(address,))).open()
    speech = HI + b"WHOLE " + text_of(CLIENT, 5000) + b"\r\n"
    sent = connection.say(0, speech)
    (probe,) = connection.send(0, garbage, at=len(speech) - 1)
    assert connection.heard(0, probe) < len(sent)


def test_a_fin_goes_with_the_last_byte_and_lets_go_what_waits(bed: Bed, connection: Connection) -> None:
    (last,) = connection.send(0, SPEECH[:15], flags=ACK | FIN)
    assert (payload_of(last), flags_of(last) & FIN) == (SPEECH[:15], FIN)
    (again,) = connection.send(0, SPEECH[4:15], at=4, flags=ACK | FIN)
    assert (payload_of(again), flags_of(again) & FIN) == (SPEECH[4:15], FIN)


def test_who_has_ended_goes_on_acknowledging(bed: Bed, connection: Connection) -> None:
    (last,) = connection.send(1, b"HI\r\n", flags=ACK | FIN)
    sent = connection.say(0, SPEECH, acked=5)
    (answer,) = connection.send(1, at=5, acked=len(sent))
    assert connection.heard(1, answer) == connection.heard(1, last) + 5
    assert connection.told(1, answer) == len(SPEECH)


def test_a_fin_is_acknowledged_behind_a_correction(bed: Bed, connection: Connection) -> None:
    (last,) = connection.send(0, SPEECH, flags=ACK | FIN)
    behind = connection.heard(0, last) + len(payload_of(last)) + 1
    assert connection.told(1, connection.send(1, acked=behind)[0]) == len(SPEECH) + 1


def test_a_reset_has_the_number_its_receiver_expects(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, SPEECH) + connection.say(0, b"HERE 192", at=len(SPEECH))
    (reset,) = connection.send(0, at=len(SPEECH) + 8, flags=RST | ACK)
    assert connection.heard(0, reset) == len(sent)


@pytest.mark.parametrize("off", [-1, 1, 5, 500, -5])
def test_a_reset_with_another_number_never_gets_the_expected_one(connection: Connection, off: int) -> None:
    """A receiver asks back after such a one (RFC 5961): who guesses must not be helped by us."""
    sent = connection.say(0, SPEECH) + connection.say(0, b"HERE 192", at=len(SPEECH))
    (reset,) = connection.send(0, at=len(SPEECH) + 8 + off, flags=RST | ACK)
    assert connection.heard(0, reset) != len(sent)


def test_bytes_in_a_reset_are_no_part_of_the_stream(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, HI)
    (reset,) = connection.send(0, HERE, at=len(HI), flags=RST | ACK)
    assert (payload_of(reset), connection.heard(0, reset)) == (b"", len(sent))
    assert bed.engine.counters()["here"].seen == 0
    assert connection.say(0, HERE, at=len(HI)) == heard(bed)


def test_a_reset_after_a_part_of_a_text_was_acknowledged(bed: Bed) -> None:
    bed = Bed(external=(LONG,))
    connection = Connection(bed).open()
    sent = connection.say(0, HI + b"WHOLE " + text_of(CLIENT, 5000) + b"\r\n")
    for acked in range(len(sent) - 10, len(sent) + 1):
        told = connection.told(1, connection.send(1, acked=acked)[0])
        assert connection.heard(0, connection.send(0, at=told, flags=RST | ACK)[0]) == acked


def test_a_reset_passes_after_the_helper_has_left(bed: Bed, connection: Connection) -> None:
    sent = connection.say(0, SPEECH + b"BYE\r\n")
    (reset,) = connection.send(0, at=len(SPEECH) + 5, flags=RST)
    assert connection.heard(0, reset) == len(sent)


def test_a_completing_segment_that_comes_late_still_completes(bed: Bed, connection: Connection) -> None:
    """Where a round trip takes most of a second, what was lost comes again after more than one."""
    assert connection.say(0, SPEECH[:20]) == HI
    bed.now += 1.5
    assert connection.say(0, SPEECH[20:], at=20) == heard(bed)
    assert connection.say(0, b"AGAIN " + text_of(CLIENT, 5000) + b"\r\n", at=len(SPEECH)) != b""
    assert bed.engine._sessions.get((1, 1)).dialogue  # type: ignore[union-attr]


def test_of_two_answers_to_a_syn_the_asker_chooses(bed: Bed) -> None:
    """A server that keeps no state answers the same SYN with other numbers a minute later."""
    first = Connection(bed)
    first.ask()
    first.send(1, flags=SYN | ACK, at=-1)
    first.send(0)
    first.send(1, flags=SYN | ACK, at=70_000)
    assert first.say(0, SPEECH) == HI + heard(bed)


def test_the_second_answer_to_a_syn_counts_where_the_first_was_lost(bed: Bed) -> None:
    connection = Connection(bed)
    connection.ask()
    connection.send(1, flags=SYN | ACK, at=699)
    connection.send(1, flags=SYN | ACK, at=-1)
    connection.send(0)
    sent = connection.say(0, SPEECH)
    assert sent == HI + heard(bed)
    (answer,) = connection.send(1, b"HI\r\n", acked=len(sent))
    assert connection.told(1, answer) == len(SPEECH)


def test_the_urgent_pointer_moves(bed: Bed, connection: Connection) -> None:
    speech = SPEECH + b"ABOR\r\n"
    (packet,) = connection.send(0, speech, flags=ACK | URG, urgent=len(SPEECH) + 1)
    at = l4_at(packet)
    assert flags_of(packet) & URG
    assert int.from_bytes(packet[at + 18 : at + 20]) == len(HI + heard(bed)) + 1


@pytest.mark.parametrize("address", [SHORT, LONG])
@pytest.mark.parametrize("marked", range(1, len(SPEECH) + 6))
def test_an_urgent_byte_that_waits_is_told_of_when_it_goes(address: IPv4Address, marked: int) -> None:
    bed = Bed(external=(address,))
    connection = Connection(bed).open()
    speech = SPEECH + b"ABOR\r\n"
    cut = min(marked, len(speech))
    first = connection.send(0, speech[:cut], flags=ACK | URG, urgent=marked)
    second = connection.send(0, speech[cut:], at=cut)
    told = {urgent_of(connection, packet) for packet in first + second if flags_of(packet) & URG}
    assert not flags_of(connection.send(0, b"more\r\n" * 20, at=max(cut, len(speech)))[0]) & URG
    behind = len(HI + heard(bed)) + marked - len(SPEECH)
    inside = len(HI) + 5, len(HI + heard(bed)) - 2
    if marked <= len(HI) + 5:
        behind = marked
    elif marked < len(SPEECH) - 2:
        behind = min(marked, inside[1])
    assert told == {behind}


def urgent_of(connection: Connection, packet: bytes) -> int:
    """The position a packet from CLIENT calls urgent."""
    at = l4_at(packet)
    return connection.heard(0, packet) + int.from_bytes(packet[at + 18 : at + 20])


def test_urgent_far_ahead_is_told_at_once_when_nothing_is_read_any_more(bed: Bed) -> None:
    connection = Connection(bed).open()
    sent = connection.say(0, SPEECH + b"BYE\r\n")
    (packet,) = connection.send(0, at=len(SPEECH) + 5, flags=ACK | URG, urgent=3000)
    assert urgent_of(connection, packet) == len(sent) + 3000


@pytest.mark.parametrize("cuts", [1, 7, 45])
def test_how_much_is_read_at_once_is_the_same_in_a_train(bed: Bed, connection: Connection, cuts: int) -> None:
    """Else one that brings hundreds of endpoints would look like a helper that finds too many."""
    speech = SPEECH + b"AGAIN " + text_of(CLIENT, 5000) + b"\r\n"
    speech += speech[len(SPEECH) :] * 900
    size, heard_all = -(-len(speech) // cuts), b""
    for at in range(0, len(speech), size):
        heard_all += connection.say(0, speech[at : at + size], at=at)
        connection.send(1, acked=len(heard_all))
    assert heard_all == speech.replace(text_of(CLIENT, 5000), external(bed))
    assert bed.engine.counters()["here"].errors == 0


def test_a_train_leaves_what_it_has_no_room_for_in_packets_every_path_takes(connection: Connection) -> None:
    segment = tcp.read(connection.made(0, b"x" * 30_000), HEADER)
    own, other = Stream(Side.INSIDE, 7), Stream(Side.OUTSIDE, 1007)
    own.taken = 30_000
    for at in range(0, 30_000, 1000):
        own.splice(at, at + 10, b"y" * 100)
    packets = sending.packets(segment, own, other, 0, b"x" * 30_000, is_final=True)
    assert [len(packet) <= 576 for packet in packets] == [False] + [True] * 6
    assert b"".join(payload_of(bytes(packet)) for packet in packets) == (b"y" * 100 + b"x" * 990) * 30
    assert connection.heard(0, bytes(packets[-1])) + len(payload_of(bytes(packets[-1]))) == 32_700


def test_a_train_of_which_little_may_go_is_sent_anew(bed: Bed, connection: Connection) -> None:
    """The kernel drops a train that is no longer than one of its segments should be."""
    start = connection.made(0, SPEECH + b"x" * 3000)
    bed.table.translate(start)
    aside = bed.table.next_set_aside(0)
    assert aside is not None
    bed.engine.answer(aside)
    assert bed.table.verdicts[-1] is None
    (packet,) = bed.remainder.packets
    assert payload_of(packet) == HI + heard(bed)


def test_a_segment_that_outgrows_its_packet_is_split() -> None:
    bed = Bed(external=(LONG,))
    connection = Connection(bed).open()
    lines = [HI, *(b"HERE " + text_of(CLIENT, port) + b"\r\n" for port in range(5000, 5010))]
    speech = b"".join(lines).ljust(1399, b"x") + b"\n"
    packets = connection.send(0, speech, flags=ACK | PSH | FIN)
    assert len(packets) == 2
    assert max(len(packet) for packet in packets) <= 1440
    assert [flags_of(packet) for packet in packets] == [ACK, ACK | PSH | FIN]
    assert connection.heard(0, packets[1]) == len(payload_of(packets[0]))
    assert all(sums_are_right(packet) for packet in packets)
    assert b"".join(map(payload_of, packets)).startswith(HI + b"HERE " + external(bed))


def test_bytes_in_a_syn_come_again_behind_it(bed: Bed) -> None:
    connection = Connection(bed)
    (syn,) = connection.send(0, SPEECH, at=-1, acked=None, flags=SYN)
    assert payload_of(syn) == b""


def test_only_an_answered_syn_begins_a_connection_anew(bed: Bed, connection: Connection) -> None:
    connection.say(0, SPEECH)
    again = Connection(bed, (9_000_000, 77), near=connection.near[1])
    again.external = connection.external
    again.send(0, at=-1, acked=None, flags=SYN)
    late = connection.say(0, SPEECH)
    assert late == HI + heard(bed)
    connection.send(0, at=len(SPEECH), flags=FIN | ACK)
    connection.send(1, flags=FIN | ACK, acked=len(late) + 1)
    connection.send(0, at=len(SPEECH) + 1, acked=1)
    assert again.open().say(0, SPEECH) == HI + heard(bed)


def test_a_helper_may_wait_for_a_longer_message() -> None:
    """As long as it says; past that it leaves, and all bytes go."""
    whole = b"x" * 6000 + b"\n"
    helper = Scripted(lambda _, side, data: Reading(data.rfind(b"\n") + 1))
    connection = Connection(bed_of(helper)).open()
    assert connection.say(0, whole[:4000]) == connection.say(0, whole[4000:6000], at=4000) == b""
    assert connection.say(0, whole[6000:], at=6000) == whole
    long = Connection(bed_of(helper)).open()
    assert long.say(0, b"x" * 8193) == b"x" * 8193
