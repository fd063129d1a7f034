"""RTSP through the engine and the core: which ports are written, who sends to them, and what closes them."""

import re
import time
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.packets import ACK, FIN, UNREACHABLE, error, read, udp
from support.router import OTHER_CLIENT, OTHER_SERVER

from helpers.engine.bed import CLIENT, PORT, SERVER, Bed, Connection
from helpers.protocols.rtsp.sayings import UDP, reply, request, setup
from nfmasq.core.policy import Filtering, Mapping
from nfmasq.helpers.engine.lifetimes import LOOK_AT_DATA_S
from nfmasq.helpers.kit.base import Endpoint
from nfmasq.helpers.protocols.rtsp import Rtsp

PORT_UNREACHABLE = 3
THERE = 6000
"""The remote end's first port."""
BOTH = [(5000, THERE), (5001, THERE + 1)]
"""RTP and RTCP: internal and remote port of each."""


class Spoken:
    """A connection of CLIENT to SERVER or, forwarded, of SERVER to CLIENT."""

    def __init__(self, *, forward: bool = False, **changes: Any) -> None:
        helper = Rtsp()
        helper.ports = (PORT,)
        changes.setdefault("filtering", Filtering.ADDRESS_AND_PORT_DEPENDENT)
        self.bed = Bed(helper, forward=forward, **changes)
        self.connection = Connection(self.bed).open()
        self.address = self.bed.rules.addresses[0]
        self.ends, self.heard = [0, 0], [0, 0]

    def say(self, side: int, text: bytes) -> bytes:
        """What is heard for what CLIENT (0) or SERVER (1) says."""
        heard = self.connection.say(side, text, at=self.ends[side], acked=self.heard[1 - side])
        self.ends[side] += len(text)
        self.heard[side] += len(heard)
        return heard

    def comes(self, port: int, source_port: int, source: IPv4Address = SERVER) -> list[Endpoint]:
        """Where a datagram to an external port ends, if it gets in."""
        sent = self.bed.send(udp(source, source_port, self.address, port), inbound=True)
        return [read(packet)[2:] for packet in sent]

    def punched(self, port: int, remote_port: int) -> int:
        """The external port of a datagram that CLIENT sends; the remote host takes none."""
        (sent,) = self.bed.send(udp(CLIENT, port, SERVER, remote_port), inbound=False)
        refusal = error(SERVER, self.address, sent, UNREACHABLE, PORT_UNREACHABLE)
        assert self.bed.send(refusal, inbound=True)
        return read(sent)[1]

    @property
    def expected(self) -> list[int]:
        """The internal ports at which somebody is expected."""
        return sorted(row.internal[1] for row in self.bed.table.sessions() if row.state == "expected")

    @property
    def media(self) -> int:
        """Sessions over UDP that live."""
        return sum(row.protocol == 17 and row.state != "expected" for row in self.bed.table.sessions())


def ports_of(heard: bytes, name: bytes = b"client_port") -> tuple[int, int]:
    """The pair in a Transport header."""
    match = re.search(name + rb"=(\d+)-(\d+)", heard)
    assert match, heard
    return int(match[1]), int(match[2])


def played(number: int = 1, first: int = 5000, **changes: Any) -> tuple[Spoken, tuple[int, int]]:
    """CLIENT has set up a stream; the external ports."""
    spoken = Spoken(**changes)
    return spoken, set_up(spoken, number, first)


def set_up(spoken: Spoken, number: int, first: int) -> tuple[int, int]:
    """Another stream of the connection."""
    pair = ports_of(spoken.say(0, setup(number, UDP + b"client_port=%d-%d" % (first, first + 1))))
    answer = b"client_port=%d-%d;server_port=%d-%d" % (*pair, THERE, THERE + 1)
    heard = spoken.say(1, reply(number, b"Transport: " + UDP + answer))
    assert ports_of(heard) == (first, first + 1)
    return pair


@pytest.mark.parametrize("mapping", Mapping)
@pytest.mark.parametrize("first", [5000, 5001])
def test_an_even_port_and_the_next_are_written_and_let_the_server_in(mapping: Mapping, first: int) -> None:
    spoken, (rtp, rtcp) = played(first=first, mapping=mapping)
    assert (rtp % 2, rtcp) == (0, rtp + 1)
    assert spoken.comes(rtp, THERE, OTHER_SERVER) == spoken.comes(rtcp, THERE, OTHER_SERVER) == []
    assert spoken.comes(rtp, THERE) == [(CLIENT, first)]
    assert spoken.comes(rtcp, THERE + 1) == [(CLIENT, first + 1)]


@pytest.mark.parametrize("filtering", Filtering)
def test_a_refused_hole_punch_ends_nothing(filtering: Filtering) -> None:
    """The server's host answers by ICMP, for it does not listen yet: the media come nevertheless."""
    spoken, (rtp, rtcp) = played(filtering=filtering)
    for external, (near, far) in zip((rtp, rtcp), BOTH, strict=True):
        assert spoken.punched(near, far) == external
        assert spoken.comes(external, far) == [(CLIENT, near)]


def come(spoken: Spoken, pair: tuple[int, int]) -> list[list[Endpoint]]:
    """Where RTP and RTCP of the server end."""
    return [spoken.comes(port, far) for port, (_, far) in zip(pair, BOTH, strict=True)]


def test_ports_whose_external_ports_are_no_pair_are_left_as_they_are() -> None:
    """They talk to somebody already, and keep their external ports (RFC 4787 REQ-1)."""
    spoken = Spoken(mapping=Mapping.ENDPOINT_INDEPENDENT)
    for near, far in BOTH:
        spoken.punched(near, far)
    line = setup(1, UDP + b"client_port=5000-5001")
    assert spoken.say(0, line) == line
    assert (spoken.expected, spoken.bed.engine.counters()["rtsp"].not_acted_on["no_room"]) == ([], 1)


@pytest.mark.parametrize("punches", [False, True])
def test_a_client_that_sets_up_again_on_its_old_ports(punches: bool) -> None:
    spoken, pair = played()
    for number in (2, 4, 6):
        if punches:
            assert [spoken.punched(near, far) for near, far in BOTH] == list(pair)
        assert come(spoken, pair) == [[(CLIENT, near)] for near, _ in BOTH]
        spoken.bed.engine.tick()
        spoken.say(0, request(number, method=b"TEARDOWN", session=9))
        spoken.say(1, reply(number))
        pair = set_up(spoken, number + 1, 5000)


def test_media_may_come_from_the_host_that_the_server_names() -> None:
    spoken = Spoken()
    rtp, rtcp = ports_of(spoken.say(0, setup(1, UDP + b"client_port=5000-5001")))
    named = b"client_port=%d-%d;source=%s" % (rtp, rtcp, str(OTHER_SERVER).encode())
    spoken.say(1, reply(1, b"Transport: " + UDP + named))
    assert spoken.comes(rtp, 9, OTHER_SERVER) == [(CLIENT, 5000)]
    assert spoken.comes(rtcp, 9, SERVER) == [(CLIENT, 5001)]


def test_another_host_s_address_opens_nothing() -> None:
    spoken = Spoken()
    line = setup(1, UDP + b"destination=%s;client_port=5000-5001" % str(OTHER_CLIENT).encode())
    assert spoken.say(0, line) == line
    assert (spoken.expected, spoken.bed.engine.counters()["rtsp"].not_acted_on["forged"]) == ([], 1)


def test_every_alternative_gets_the_same_pair() -> None:
    spoken = Spoken()
    each = b"RTP/AVP;unicast;client_port=5000-5001"
    heard = spoken.say(0, setup(1, each + b",RTP/AVP/TCP;interleaved=0-1," + each))
    assert len(set(re.findall(rb"client_port=(\d+-\d+)", heard))) == 1
    assert b"interleaved=0-1" in heard
    assert spoken.expected == [5000, 5001]


@pytest.mark.parametrize("has_come", [False, True])
def test_teardown_closes_what_it_names_alone(has_come: bool) -> None:
    spoken, pair = played()
    other = set_up(spoken, 2, 5002)  # of the same URL: told apart by their ports
    if has_come:
        assert spoken.comes(pair[0], THERE)
        assert spoken.comes(other[0], THERE)
        spoken.bed.engine.tick()
    spoken.say(0, request(3, method=b"TEARDOWN", session=9))
    assert spoken.expected or spoken.media
    spoken.say(1, reply(3))
    assert (spoken.expected, spoken.media) == ([], 0)
    assert spoken.comes(pair[0], THERE) == []


def test_the_end_of_the_connection_closes_all() -> None:
    spoken, (rtp, _) = played()
    assert spoken.comes(rtp, THERE)
    spoken.bed.engine.tick()
    assert (spoken.expected, spoken.media) == ([5001], 1)
    spoken.connection.send(0, at=spoken.ends[0], acked=spoken.heard[1], flags=FIN | ACK)
    spoken.connection.send(1, at=spoken.ends[1], acked=spoken.heard[0] + 1, flags=FIN | ACK)
    spoken.bed.engine.tick()
    assert (spoken.expected, spoken.media) == ([], 0)
    assert spoken.comes(rtp, THERE) == []


def later(spoken: Spoken, seconds: int) -> None:
    """So many seconds pass in which nobody sends anything."""
    now = int(time.monotonic())
    for at in range(now, now + seconds, LOOK_AT_DATA_S):
        for _ in range(LOOK_AT_DATA_S):
            spoken.bed.engine.tick()
        spoken.bed.table.expire(now=at)


def test_media_may_come_late() -> None:
    """People look at a picture before they play it."""
    spoken, pair = played()
    later(spoken, 1800)
    assert come(spoken, pair) == [[(CLIENT, near)] for near, _ in BOTH]


def test_media_come_again_after_a_pause() -> None:
    spoken, pair = played()
    assert come(spoken, pair)
    later(spoken, 1800)
    assert come(spoken, pair) == [[(CLIENT, near)] for near, _ in BOTH]


def test_a_server_that_names_many_sources_closes_nothing() -> None:
    spoken = Spoken()
    rtp, rtcp = ports_of(spoken.say(0, setup(1, UDP + b"client_port=5000-5001")))
    sources = b"".join(b";source=198.51.100.%d" % host for host in range(1, 100))
    spoken.say(1, reply(1, b"Transport: " + UDP + b"client_port=%d-%d" % (rtp, rtcp) + sources))
    assert len(spoken.expected) == 6
    assert come(spoken, (rtp, rtcp)) == [[(CLIENT, near)] for near, _ in BOTH]


def test_a_row_that_overlaps_an_earlier_one_is_left_as_it_is() -> None:
    spoken = Spoken()
    wide = b"RTP/AVP;unicast;client_port=5000-5003"
    heard = spoken.say(0, setup(1, b"RTP/AVP;unicast;client_port=5000-5001," + wide))
    assert wide in heard
    assert spoken.expected == [5000, 5001]


def test_an_internal_server_s_address_without_a_port_is_not_seen_outside() -> None:
    spoken = Spoken(forward=True)
    spoken.say(1, setup(1, UDP + b"client_port=7000-7001"))
    offer = b"client_port=7000-7001;source=%s" % str(CLIENT).encode()
    heard = spoken.say(0, reply(1, b"Transport: " + UDP + offer))
    assert b"source=%s" % str(spoken.address).encode() in heard


def test_an_internal_server_s_ports_are_written_and_the_client_s_only_read() -> None:
    spoken = Spoken(forward=True)
    asked = setup(1, UDP + b"client_port=7000-7001")
    assert spoken.say(1, asked) == asked
    offer = b"client_port=7000-7001;source=%s;server_port=5000-5001" % str(CLIENT).encode()
    heard = spoken.say(0, reply(1, b"Transport: " + UDP + offer))
    rtp, rtcp = ports_of(heard, b"server_port")
    assert (rtp % 2, rtcp) == (0, rtp + 1)
    assert b"client_port=7000-7001;source=%s;" % str(spoken.address).encode() in heard
    assert spoken.comes(rtcp, 7001, OTHER_SERVER) == []
    assert spoken.comes(rtcp, 7001) == [(CLIENT, 5001)]
    (sent,) = spoken.bed.send(udp(CLIENT, 5000, SERVER, 7000), inbound=False)
    assert read(sent)[:2] == (spoken.address, rtp)


@pytest.mark.parametrize("length", [1, 2, 7, 50])
def test_a_request_in_pieces_of_any_length(length: int) -> None:
    spoken = Spoken()
    text = setup(1, UDP + b"client_port=5000-5001")
    heard = b"".join(spoken.say(0, text[at : at + length]) for at in range(0, len(text), length))
    pair = ports_of(heard)
    assert heard == setup(1, UDP + b"client_port=%d-%d" % pair)
    assert come(spoken, pair) == [[(CLIENT, near)] for near, _ in BOTH]
