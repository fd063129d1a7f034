"""Packets that turn round at the router: nobody pretends to be another, and none goes round for ever."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from support.packets import ACK, EXCEEDED, SYN, UNREACHABLE, error, put, query, read, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_EXTERNAL, SERVER, Router, policy

from hardening.segments import segment
from nfmasq.core.policy import ANY_PROTOCOL, Filtering, Forward, ForwardTarget

WAN = 7
"""The index of the external interface."""
PORT, OTHER_PORT = 40000, 41000


def _router(**changes: Any) -> Router:
    return Router(policy(filtering=Filtering.ENDPOINT_INDEPENDENT, device=WAN, **changes))


def _known_as(router: Router, client: IPv4Address = CLIENT, port: int = PORT) -> int:
    """The external port of a client that has spoken with a server."""
    return read(router.out(udp(client, port, SERVER, 53))).source_port


def test_the_source_is_the_external_endpoint_of_the_sender() -> None:
    """Hairpin spoof or loop.

    RFC 4787 REQ-9a: the receiver sees whom it would see from outside, and its answer takes the same way.
    """
    router = _router()
    near, other = _known_as(router), _known_as(router, OTHER_CLIENT, OTHER_PORT)
    reason, got = router.table.hairpin(udp(OTHER_CLIENT, OTHER_PORT, EXTERNAL, near), now=router.now)
    assert (reason, read(got)) == ("", (EXTERNAL, other, CLIENT, PORT))
    reason, got = router.table.hairpin(udp(CLIENT, PORT, EXTERNAL, other), now=router.now)
    assert (reason, read(got)) == ("", (EXTERNAL, near, OTHER_CLIENT, OTHER_PORT))


@pytest.mark.parametrize("source", [EXTERNAL, SERVER], ids=["the external address", "a server"])
def test_a_source_that_is_not_inside_does_not_turn_round(source: IPv4Address) -> None:
    """Hairpin spoof or loop.

    Spoofed from inside: the receiver would believe the packet came from outside, or from itself.
    """
    router = _router()
    near = _known_as(router)
    for packet in (
        udp(source, near, EXTERNAL, near),
        udp(source, 53, EXTERNAL, near),
        segment(source, near, EXTERNAL, near),
        query(source, EXTERNAL, 5),
    ):
        reason, got = router.table.hairpin(packet, now=router.now)
        assert reason or got == packet
    assert len(router.rows()) == 1


def test_a_host_that_sends_to_itself_gets_it_once_from_its_external_endpoint() -> None:
    """Hairpin spoof or loop.

    What turns round is for an internal host, and for it alone: sent on again it is not hairpinned.
    """
    router = _router()
    near = _known_as(router)
    reason, got = router.table.hairpin(udp(CLIENT, PORT, EXTERNAL, near), now=router.now)
    assert (reason, read(got)) == ("", (EXTERNAL, near, CLIENT, PORT))
    reason, again = router.table.hairpin(got, now=router.now)
    assert reason or again == got
    assert len(router.rows()) <= 3


def test_a_forward_to_the_external_address_itself_cannot_loop() -> None:
    """Hairpin spoof or loop.

    Two external addresses forwarded to each other: each packet turns round once at most.
    """
    forwards = (
        Forward(ANY_PROTOCOL, EXTERNAL, (5000, 5000), (ForwardTarget(OTHER_EXTERNAL, (5000, 5000)),)),
        Forward(ANY_PROTOCOL, OTHER_EXTERNAL, (5000, 5000), (ForwardTarget(EXTERNAL, (5000, 5000)),)),
    )
    router = _router(external=(EXTERNAL, OTHER_EXTERNAL), forwards=forwards)
    packet, turns = udp(CLIENT, PORT, EXTERNAL, 5000), 0
    for _ in range(10):
        reason, got = router.table.hairpin(packet, now=router.now)
        if reason or got == packet:
            break
        packet, turns = got, turns + 1
    assert turns <= 1


@pytest.mark.parametrize("mark", [0x80000000, 0x80000002, 0x83FFFFFF, 0x80000001 + 63])
def test_a_forged_mark_takes_nobody_s_session(mark: int) -> None:
    """Hairpin spoof or loop.

    The mark names the session of the first pass. One that names none, or another's, is dropped.
    """
    router = _router()
    _known_as(router)
    packet = udp(OTHER_CLIENT, OTHER_PORT, CLIENT, PORT)
    assert router.try_out(packet, mark=mark)[0] == "hairpin_lost"


def test_a_mark_of_another_s_session_is_dropped() -> None:
    """Hairpin spoof or loop.

    A host cannot appear as another.
    """
    router = _router()
    _known_as(router)
    number = router.row().number
    packet = udp(OTHER_CLIENT, OTHER_PORT, CLIENT, PORT)
    assert router.try_out(packet, mark=0x80000000 | number)[0] == "hairpin_lost"


def test_segments_that_turn_round_are_checked_as_any() -> None:
    """Hairpin spoof or loop.

    Both sessions follow the sequence numbers.
    """
    router = _router()
    near = read(router.out(segment(CLIENT, PORT, SERVER, 80))).source_port
    ways = (
        segment(OTHER_CLIENT, OTHER_PORT, EXTERNAL, near, SYN, sequence=100),
        segment(OTHER_CLIENT, OTHER_PORT, EXTERNAL, near, ACK, sequence=101, acknowledged=501),
        segment(
            OTHER_CLIENT,
            OTHER_PORT,
            EXTERNAL,
            near,
            ACK,
            sequence=101 + (1 << 20),
            acknowledged=501,
            payload=b"x",
        ),
    )
    reason, got = router.table.hairpin(ways[0], now=router.now)
    assert reason == ""
    back = segment(CLIENT, PORT, EXTERNAL, read(got).source_port, SYN | ACK, sequence=500, acknowledged=101)
    assert router.table.hairpin(back, now=router.now)[0] == ""
    assert router.table.hairpin(ways[1], now=router.now)[0] == ""
    assert router.table.hairpin(ways[2], now=router.now)[0] == "tcp_out_of_window"


def test_errors_that_turn_round_show_no_internal_address() -> None:
    """Hairpin spoof or loop.

    The quote is translated for whoever gets it; one about no hairpinned packet is dropped.
    """
    router = _router()
    near, other = _known_as(router), _known_as(router, OTHER_CLIENT, OTHER_PORT)
    _, got = router.table.hairpin(udp(OTHER_CLIENT, OTHER_PORT, EXTERNAL, near), now=router.now)
    reason, told = router.table.hairpin(error(CLIENT, EXTERNAL, got, UNREACHABLE, 3), now=router.now)
    assert reason == ""
    assert read(told).destination == OTHER_CLIENT
    assert read(told).source == EXTERNAL
    quoted = told[28:]
    assert (quoted[12:16], quoted[16:20]) == (OTHER_CLIENT.packed, EXTERNAL.packed)
    forged = error(CLIENT, EXTERNAL, udp(EXTERNAL, other ^ 1, CLIENT, PORT), EXCEEDED)
    assert router.table.hairpin(forged, now=router.now)[0] == "icmp_error_unmatched"
    assert router.table.hairpin(put(forged, 30, b"\0\0"), now=router.now)[0] != ""
