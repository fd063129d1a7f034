"""Hairpinning: internal hosts that meet by their external endpoints (RFC 4787 REQ-9, RFC 5382 REQ-8)."""

from pathlib import Path
from typing import Any

import pytest
from support.packets import (
    ACK,
    ECHO_REPLY,
    GRE,
    SYN,
    TCP,
    UNREACHABLE,
    error,
    portless,
    query,
    quote_of,
    read,
    sums_are_right,
    tcp,
    udp,
)
from support.router import (
    CLIENT,
    EXTERNAL,
    INNER_ROUTER,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    SERVER,
    Router,
    policy,
)

from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Filtering, Forward, ForwardTarget

MARK = 1 << 31
WAN = 7
"""The index of the external interface."""
WEB = Forward(TCP, None, (8080, 8080), (ForwardTarget(OTHER_CLIENT, (80, 80)),))
WHOLE = Forward(ANY_PROTOCOL, OTHER_EXTERNAL, ALL_PORTS, (ForwardTarget(OTHER_CLIENT),))


@pytest.fixture
def hairpin() -> "Hairpin":
    """Two hosts behind one router; OTHER_CLIENT's port 5000 has a mapping."""
    return Hairpin()


class Hairpin:
    """What CLIENT and OTHER_CLIENT send each other by the external address."""

    def __init__(self, **changes: Any) -> None:
        changes.setdefault("filtering", Filtering.ENDPOINT_INDEPENDENT)
        self.router = Router(policy(device=WAN, **changes))
        self.near = read(self.router.out(udp(OTHER_CLIENT, 5000, SERVER, 53))).source_port

    def send(self, packet: bytes) -> bytes:
        """Both passes of a packet that must get through."""
        reason, sent = self.router.table.hairpin(packet, now=self.router.now)
        assert reason == ""
        assert sums_are_right(sent)
        return sent

    def refused(self, packet: bytes) -> str:
        """Why a packet is dropped."""
        reason, _ = self.router.table.hairpin(packet, now=self.router.now)
        return reason


def test_the_peer_sees_the_senders_external_endpoint(hairpin: Hairpin) -> None:
    came = read(hairpin.send(udp(CLIENT, 4000, EXTERNAL, hairpin.near)))
    assert came[2:] == (OTHER_CLIENT, 5000)
    assert came.source == EXTERNAL
    outside = read(hairpin.router.out(udp(CLIENT, 4000, SERVER, 53)))
    assert came[:2] == outside[:2], "the same that everybody else sees (REQ-9a)"
    answer = read(hairpin.send(udp(OTHER_CLIENT, 5000, EXTERNAL, came.source_port)))
    assert answer == (EXTERNAL, hairpin.near, CLIENT, 4000)


def test_a_host_may_reach_itself(hairpin: Hairpin) -> None:
    came = read(hairpin.send(udp(OTHER_CLIENT, 6000, EXTERNAL, hairpin.near)))
    assert came[2:] == (OTHER_CLIENT, 5000)
    assert came.source == EXTERNAL


@pytest.mark.parametrize("filtering", Filtering)
def test_filtering_holds_inside_too(filtering: Filtering) -> None:
    hairpin = Hairpin(filtering=filtering)
    first = udp(CLIENT, 4000, EXTERNAL, hairpin.near)
    if filtering is Filtering.ENDPOINT_INDEPENDENT:
        assert hairpin.send(first)
        return
    assert hairpin.refused(first) == "filtered"
    other = read(hairpin.router.out(udp(CLIENT, 4000, SERVER, 53))).source_port
    assert hairpin.refused(udp(OTHER_CLIENT, 5000, EXTERNAL, other)) == "", "CLIENT has spoken to EXTERNAL"
    assert hairpin.send(first)


def test_a_connection_opens_both_ways_and_is_followed() -> None:
    hairpin = Hairpin(forwards=(WEB,))
    came = read(hairpin.send(tcp(CLIENT, 4000, EXTERNAL, 8080)))
    assert came[2:] == (OTHER_CLIENT, 80)
    assert read(hairpin.send(tcp(OTHER_CLIENT, 80, EXTERNAL, came.source_port, SYN | ACK))) == (
        EXTERNAL,
        8080,
        CLIENT,
        4000,
    )
    hairpin.send(tcp(CLIENT, 4000, EXTERNAL, 8080, ACK))
    states = [row.state for row in hairpin.router.rows() if row.protocol == TCP]
    assert states == ["established", "established"]
    assert hairpin.refused(tcp(CLIENT, 4000, EXTERNAL, 8080, ACK, sequence=1 << 24)) == "tcp_out_of_window"


def test_simultaneous_open_between_two_hosts() -> None:
    """What peer-to-peer programs do when both are behind the same router (RFC 5382 REQ-2, REQ-8)."""
    hairpin = Hairpin()
    one = read(hairpin.router.out(tcp(CLIENT, 4000, SERVER, 80))).source_port
    other = read(hairpin.router.out(tcp(OTHER_CLIENT, 5000, SERVER, 80))).source_port
    hairpin.send(tcp(CLIENT, 4000, EXTERNAL, other))
    hairpin.send(tcp(OTHER_CLIENT, 5000, EXTERNAL, one))
    hairpin.send(tcp(CLIENT, 4000, EXTERNAL, other, SYN | ACK))
    hairpin.send(tcp(OTHER_CLIENT, 5000, EXTERNAL, one, SYN | ACK))
    states = [row.state for row in hairpin.router.rows() if row.remote[0] == EXTERNAL]
    assert states == ["established", "established"]


def test_an_error_is_hairpinned_back_to_what_its_receiver_sent(hairpin: Hairpin) -> None:
    """RFC 5508 REQ-7."""
    sent = udp(CLIENT, 4000, EXTERNAL, hairpin.near)
    came = hairpin.send(sent)
    back = hairpin.send(error(OTHER_CLIENT, EXTERNAL, came, UNREACHABLE, 3))
    assert read(back)[::2] == (EXTERNAL, CLIENT)
    assert quote_of(back)[12:] == sent[12:]


def test_between_its_passes_an_error_quotes_what_the_router_sees(hairpin: Hairpin) -> None:
    """Connection tracking stands between them and calls any other quote invalid."""
    sent = udp(CLIENT, 4000, EXTERNAL, hairpin.near)
    came = hairpin.send(sent)
    refusal = error(OTHER_CLIENT, EXTERNAL, came, UNREACHABLE, 3)
    reason, between = hairpin.router.table.translate(refusal, hairpin=True, now=hairpin.router.now)
    assert reason == ""
    assert read(between)[::2] == (OTHER_CLIENT, CLIENT)
    assert read(quote_of(between)) == (CLIENT, 4000, OTHER_CLIENT, 5000)
    assert sums_are_right(between)


def test_an_error_of_a_router_inside_is_hairpinned_too(hairpin: Hairpin) -> None:
    came = hairpin.send(udp(CLIENT, 4000, EXTERNAL, hairpin.near))
    back = hairpin.send(error(INNER_ROUTER, EXTERNAL, came, UNREACHABLE, 1))
    assert read(back)[::2] == (EXTERNAL, CLIENT), "no internal address but the receiver's own is shown"


def test_an_error_about_nothing_goes_nowhere(hairpin: Hairpin) -> None:
    forged = error(OTHER_CLIENT, EXTERNAL, udp(EXTERNAL, 9, OTHER_CLIENT, 5000), UNREACHABLE, 3)
    assert hairpin.refused(forged) == "icmp_error_unmatched"


def test_a_host_with_an_address_of_its_own_can_be_pinged_from_inside() -> None:
    hairpin = Hairpin(external=(EXTERNAL, OTHER_EXTERNAL), forwards=(WHOLE,))
    came = read(hairpin.send(query(CLIENT, OTHER_EXTERNAL, 7)))
    assert came[::2] == (EXTERNAL, OTHER_CLIENT)
    back = read(hairpin.send(query(OTHER_CLIENT, EXTERNAL, came.source_port, ECHO_REPLY)))
    assert back == (OTHER_EXTERNAL, 7, CLIENT, 7)


def test_a_ping_and_a_tunnel_to_the_router_are_its_own(hairpin: Hairpin) -> None:
    before = hairpin.router.table.counters().passed
    for packet in (query(CLIENT, EXTERNAL, 7), portless(CLIENT, EXTERNAL, GRE)):
        assert hairpin.router.table.translate(packet, hairpin=True, now=hairpin.router.now) == ("", packet)
    assert hairpin.router.table.counters().passed == before + 2
    assert len(hairpin.router.rows()) == 1, "no session was begun"


def test_a_tunnel_to_oneself_is_not_told_from_its_answer() -> None:
    default = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(OTHER_CLIENT),))
    assert Hairpin(forwards=(default,)).refused(portless(CLIENT, EXTERNAL, GRE)) == "portless_remote_taken"


def test_a_port_that_nobody_has_begins_no_session_and_may_be_a_containers(hairpin: Hairpin) -> None:
    free = 1024 if hairpin.near != 1024 else 1025
    packet = udp(CLIENT, 4000, EXTERNAL, free)
    assert hairpin.router.table.translate(packet, hairpin=True, now=hairpin.router.now) == ("", packet)
    again = hairpin.router.table.translate(packet, hairpin=True, second_look=True, now=hairpin.router.now)
    assert again == ("no_mapping", b"")
    assert len(hairpin.router.rows()) == 1


def test_a_spoofed_source_is_not_hairpinned(hairpin: Hairpin) -> None:
    assert hairpin.refused(udp(SERVER, 4000, EXTERNAL, hairpin.near)) == "source_not_internal"
    assert hairpin.refused(udp(EXTERNAL, 4000, EXTERNAL, hairpin.near)) == "source_not_internal"


def test_it_counts_once_and_as_hairpinned(hairpin: Hairpin) -> None:
    before = hairpin.router.table.counters().packets
    hairpin.send(udp(CLIENT, 4000, EXTERNAL, hairpin.near))
    after = hairpin.router.table.counters().packets
    assert [sum(after[way]) - sum(before[way]) for way in range(3)] == [0, 0, 1]
    rows = [row for row in hairpin.router.rows() if row.remote[0] == EXTERNAL]
    assert sorted((row.packets_out, row.packets_in) for row in rows) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("mark", [0x80000000, 0x80000001, 0x83FFFFFF, 0xFFFFFFFF])
def test_a_forged_mark_leads_to_nobodys_session(hairpin: Hairpin, mark: int) -> None:
    packet = udp(CLIENT, 4000, OTHER_CLIENT, 5000)
    assert hairpin.router.try_out(packet, mark=mark) == ("hairpin_lost", b"")


def first_pass(hairpin: Hairpin, packet: bytes) -> bytes:
    """The packet between its two passes."""
    reason, between = hairpin.router.table.translate(packet, hairpin=True, now=hairpin.router.now)
    assert reason == ""
    return between


def test_a_packet_whose_session_ended_between_its_passes_goes_no_further(hairpin: Hairpin) -> None:
    between = first_pass(hairpin, udp(CLIENT, 4000, EXTERNAL, hairpin.near))
    sent = read(hairpin.router.out(between, mark=MARK))
    assert (sent.source, sent.destination) == (EXTERNAL, OTHER_CLIENT)
    hairpin.router.table.flush()
    hairpin.router.out(udp(OTHER_CLIENT, 5001, SERVER, 53))
    assert hairpin.router.try_out(between, mark=MARK) == ("hairpin_lost", b"")


def test_two_ports_of_one_host_are_told_apart_in_the_second_pass(hairpin: Hairpin) -> None:
    """Between the passes both packets come from CLIENT, and only their ports differ."""
    packets = [udp(CLIENT, port, EXTERNAL, hairpin.near) for port in (4000, 4001)]
    between = [first_pass(hairpin, packet) for packet in packets]
    sources = [read(hairpin.router.out(packet, mark=MARK)).source_port for packet in between]
    outside = [read(hairpin.router.out(udp(CLIENT, port, SERVER, 53))).source_port for port in (4000, 4001)]
    assert sources == outside


def test_the_second_pass_needs_no_note_of_the_first(tmp_path: Path) -> None:
    """The daemon may have been started anew between them."""
    rules = policy(device=WAN, filtering=Filtering.ENDPOINT_INDEPENDENT)
    before = Router(rules, path=str(tmp_path / "state"))
    near = read(before.out(udp(OTHER_CLIENT, 5000, SERVER, 53))).source_port
    packet = udp(CLIENT, 4000, EXTERNAL, near)
    _, between = before.table.translate(packet, hairpin=True, now=before.now)
    before.table.close()
    after = Router(rules, path=str(tmp_path / "state"))
    sent = read(after.out(between, mark=MARK))
    assert (sent.source, sent.destination) == (EXTERNAL, OTHER_CLIENT)


def test_marks_of_other_programs_mean_nothing(hairpin: Hairpin) -> None:
    for mark in (1, 0x40000001, 0x7FFFFFFF):
        assert hairpin.router.out(udp(CLIENT, 4000, SERVER, 53), mark=mark)


@pytest.mark.parametrize("others", [0, 0x4000, 0x7FFFFFFF])
def test_marks_of_other_programs_may_come_with_ours(hairpin: Hairpin, others: int) -> None:
    between = first_pass(hairpin, udp(CLIENT, 4000, EXTERNAL, hairpin.near))
    assert read(hairpin.router.out(between, mark=MARK | others)).source == EXTERNAL


def test_the_bit_of_the_mark_is_the_policys() -> None:
    hairpin = Hairpin(mark=0x40)
    between = first_pass(hairpin, udp(CLIENT, 4000, EXTERNAL, hairpin.near))
    assert read(hairpin.router.out(between, mark=0x40)).source == EXTERNAL
    assert hairpin.router.try_out(between, mark=MARK)[0] == "destination_internal"


def test_without_hairpinning_nothing_is_hairpinned() -> None:
    """Then what comes in is from outside, whoever claims to have sent it."""
    router = Router(policy(device=WAN, hairpinning=False, filtering=Filtering.ENDPOINT_INDEPENDENT))
    near = read(router.out(udp(OTHER_CLIENT, 5000, SERVER, 53))).source_port
    assert router.try_in(udp(CLIENT, 4000, EXTERNAL, near))[0] == "source_internal"
