"""Hairpinned sessions: each side's helper rewrites what its own host says to the other."""

import random
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packets import ACK, SYN, UDP, read, sums_are_right, tcp, udp
from support.router import OTHER_CLIENT, arrive

from helpers.engine.announcing import said, waiting
from helpers.engine.bed import (
    CLIENT,
    LONG,
    NEAR_PORT,
    PORT,
    SERVER,
    SHORT,
    Bed,
    Connection,
    counted,
    payload_of,
)
from helpers.engine.crossing import Crossing, CrossingBed, CrossingEnds
from helpers.engine.ends import rewritten_lines
from helpers.engine.here import HI, Echo, Here, text_of
from helpers.engine.test_any_connection import NUMBERS, speech
from nfmasq.core.policy import Filtering, Forward, ForwardTarget
from nfmasq.helpers.engine import sessions

HOSTED = 5000
THIRD = IPv4Address("192.168.1.12")


@pytest.fixture
def crossing() -> Crossing:
    """An open connection, with the strictest filtering."""
    made = Crossing(CrossingBed(Here(), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT))
    made.open()
    return made


@pytest.mark.parametrize(("side", "host", "other"), [(0, OTHER_CLIENT, CLIENT), (1, CLIENT, OTHER_CLIENT)])
def test_each_side_hears_the_external_endpoint_of_the_other_and_reaches_it(
    crossing: Crossing, side: int, host: IPv4Address, other: IPv4Address
) -> None:
    bed, external = crossing.bed, crossing.far[0]
    heard = crossing.say(side, HI + said(b"HERE", host, HOSTED))
    _, address, port = heard[len(HI) :].split()
    assert (IPv4Address(address.decode()), waiting(bed)) == (external, 1)
    (came,) = bed.send(tcp(other, 20, external, int(port)), inbound=False)
    assert read(came)[2:] == (host, HOSTED)
    assert read(came).source == external
    assert bed.send(tcp(other, 21, external, int(port)), inbound=False) == [], "the pinhole is used up"
    assert not counted(bed).not_acted_on["forged"]


def test_nobody_else_reaches_it(crossing: Crossing) -> None:
    heard = crossing.say(1, HI + said(b"HERE", CLIENT, HOSTED))
    port = int(heard.split()[-1])
    outsider = tcp(SERVER, 20, crossing.far[0], port)
    assert Bed.send(crossing.bed, outsider, inbound=True) == []
    assert crossing.bed.send(tcp(OTHER_CLIENT, 20, crossing.far[0], port), inbound=False)


def test_what_did_not_fit_is_sent_with_the_external_source() -> None:
    """The kernel's second pass is for packets of its queue, not for ours."""
    bed = CrossingBed(Here(), external=(LONG,))
    crossing = Crossing(bed).open()
    crossing.say(0, HI)
    line = said(b"HERE", OTHER_CLIENT, HOSTED)
    own, *more = crossing.send(0, line * 25, at=len(HI))
    assert more
    assert {read(packet) for packet in (own, *more)} == {(*crossing.external, CLIENT, PORT)}
    heard = b"".join(payload_of(packet) for packet in (own, *more))
    assert heard.count(b"\n") == 25
    assert str(OTHER_CLIENT).encode() not in heard


def test_both_sides_are_let_go_together(crossing: Crossing) -> None:
    """One that goes on needs the other to go on: their corrections add up."""
    bed = crossing.bed
    line = HI + said(b"HERE", OTHER_CLIENT, HOSTED)
    heard = crossing.say(0, line)
    bed.engine.set_enabled("here", False)
    crossing.send(0, at=len(line))
    assert bed.table.let == []
    crossing.send(1, acked=len(heard))
    assert len(bed.table.let) == 2
    (packet,) = crossing.send(0, b"more", at=len(line))
    assert crossing.heard(0, packet) == len(heard)
    assert counted(bed).sessions == 0


def test_a_helper_that_fails_on_one_side_leaves_the_other_whole(crossing: Crossing) -> None:
    """The server's side takes it for another protocol: its dialogue ends, and nothing is lost."""
    assert crossing.say(1, b"HELLO\r\n") == b"HELLO\r\n"
    assert crossing.say(1, b"again", at=7) == b"again"
    assert crossing.say(0, b"what?\r\n", acked=12) == b"what?\r\n"
    assert crossing.bed.engine.failure is None


def test_datagrams_are_read_on_both_sides() -> None:
    bed = CrossingBed(Echo())
    forward = Forward(UDP, None, (PORT, PORT), (ForwardTarget(CLIENT, (PORT, PORT)),))
    bed.replace_rules(forwards=(forward,))
    external = bed.rules.addresses[0]
    (asked,) = bed.send(udp(OTHER_CLIENT, NEAR_PORT, external, PORT, said(b"HERE", OTHER_CLIENT, HOSTED)))
    near = read(asked)[:2]
    (answered,) = bed.send(udp(CLIENT, PORT, *near, said(b"HERE", CLIENT, HOSTED)))
    for packet, receiver in ((asked, (CLIENT, PORT)), (answered, (OTHER_CLIENT, NEAR_PORT))):
        assert sums_are_right(packet)
        assert read(packet)[2:] == receiver
        assert str(external).encode() in packet
    assert waiting(bed) == 2


@pytest.mark.parametrize("external", [SHORT, LONG])
@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 1 << 64))
def test_both_ends_hear_one_stream_and_are_told_the_truth(external: IPv4Address, seed: int) -> None:
    """Both sides' streams are rewritten, each by its own host's helper."""
    chance = random.Random(seed)
    bed = CrossingBed(Here(), external=(external,))
    for host in (CLIENT, OTHER_CLIENT):
        bed.table.translate(tcp(host, HOSTED, SERVER, 80))
    ports = {row.internal[0]: row.external[1] for row in bed.table.mappings() if row.internal[1] == HOSTED}
    speeches = (
        speech(chance, b"HERE " + text_of(OTHER_CLIENT, HOSTED)),
        speech(chance, b"HERE " + text_of(CLIENT, HOSTED)),
    )
    crossing = Crossing(bed, chance.choice(NUMBERS)).open()
    ends = CrossingEnds(bed, crossing, speeches, chance)
    ends.wander(400)
    heard = [bytes(end.heard[at] for at in range(end.rcv)) for end in ends.ends]
    plans = tuple(
        rewritten_lines(
            speeches[side], heard[1 - side], [(text_of(host, HOSTED), text_of(external, ports[host]))]
        )
        for side, host in ((0, OTHER_CLIENT), (1, CLIENT))
    )
    ends.require_exact((plans[0], plans[1]))


MOST = 4096
"""Handshakes under way that the engine knows."""


def crossing_address(bed: CrossingBed) -> IPv4Address:
    """The external address by which they meet."""
    return bed.rules.addresses[0]


class Beyond(Connection):
    """OTHER_CLIENT's connection to a host outside."""

    def __init__(self, bed: CrossingBed, port: int) -> None:
        super().__init__(bed)
        self.forwarded = False
        self.near, self.far = (OTHER_CLIENT, port), (SERVER, PORT)

    def send(self, side: int, *text: bytes, **how: Any) -> list[bytes]:
        made = self.made(side, *text, **how)
        reason, _ = arrive(self.bed.table, made) if side else self.bed.table.translate(made)
        aside = self.bed.table.next_set_aside(0)
        assert (reason, aside is None) == ("", False)
        return Bed.answered(self.bed, aside) if aside else []


@pytest.mark.parametrize("before", [0, 1])
def test_where_one_side_gives_way_the_other_takes_no_place_any_more(before: int) -> None:
    """Both go on without a helper, and no other handshake has to give way to one that nobody reads.

    With one handshake before, a connection's own second side needs the place of its first one.
    """
    bed = CrossingBed(Here(), sessions=3 * MOST)
    for nth in range(before):
        Beyond(bed, 1024 + nth).ask()
    for nth in range(MOST // 2):
        Crossing(bed, near=NEAR_PORT - nth).ask()
    Beyond(bed, 2024).ask()
    read_on = [row for row in bed.table.sessions(limit=3 * MOST) if row.helper]
    assert counted(bed).sessions == len(read_on) == MOST - 1 + before
    hairpinned = sum(row.remote[0] == crossing_address(bed) for row in read_on)
    assert hairpinned == MOST - 2, "both sides of a connection, or neither"


def test_a_connection_whose_caller_has_its_share_is_read_on_neither_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server has room, and keeps it: the next caller's connection is read on both sides."""
    monkeypatch.setattr(sessions, "MOST_OF_A_HOST", 1)
    bed = CrossingBed(Here())
    Beyond(bed, NEAR_PORT + 1).open()
    refused, third = Crossing(bed), Crossing(bed)
    third.near = (THIRD, NEAR_PORT)
    for each, is_read in ((refused.open(), False), (third.open(), True)):
        for side, host in ((0, each.near[0]), (1, CLIENT)):
            line = HI + said(b"HERE", host, HOSTED + side)
            assert (each.say(side, line) != line) == is_read
    assert counted(bed).sessions == 3


def test_a_side_begins_no_dialogue_whose_other_side_gave_way_as_the_handshake_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The segment that ends it has text, so the caller's side must go on being corrected."""
    monkeypatch.setattr(sessions, "MOST_OF_A_HOST", 1)
    bed = CrossingBed(Here(), external=(LONG,))
    Beyond(bed, NEAR_PORT + 1).open()
    crossing = Crossing(bed)
    crossing.ask()
    crossing.send(1, flags=SYN | ACK, at=-1, acked=0)
    heard = crossing.say(0, HI + said(b"HERE", OTHER_CLIENT, HOSTED))
    line = HI + said(b"HERE", CLIENT, HOSTED)
    assert crossing.say(1, line) == line
    third = Crossing(bed)
    third.near = (THIRD, NEAR_PORT)
    assert third.open().say(1, line) != line, "a side that is not read takes no place"
    assert counted(bed).sessions == 5
    crossing.send(1, at=len(line), acked=len(heard))
    assert counted(bed).sessions == 3


def test_of_an_open_connection_both_sides_give_way_and_are_corrected_until_they_are_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MOST_HELPED_SESSIONS", 4)
    bed = CrossingBed(Here(), external=(LONG,))
    first, second = (Crossing(bed, near=NEAR_PORT + nth).open() for nth in range(2))
    line = HI + said(b"HERE", OTHER_CLIENT, HOSTED)
    heard = second.say(0, line)
    assert len(heard) > len(line)
    third = Crossing(bed)
    third.near = (THIRD, NEAR_PORT)
    third.open()
    assert counted(bed).sessions == 6
    for side, host, at, acked in ((0, OTHER_CLIENT, len(line), 0), (1, CLIENT, 0, len(heard))):
        more = HI + said(b"HERE", host, HOSTED + 1)
        assert second.say(side, more, at=at, acked=acked) == more
    assert counted(bed).sessions == 4
    assert set(bed.table.let) == {(3, 3), (4, 4)}
    for open_yet, host in ((first, OTHER_CLIENT), (third, THIRD)):
        line = HI + said(b"HERE", host, HOSTED + 2)
        assert open_yet.say(0, line) != line
