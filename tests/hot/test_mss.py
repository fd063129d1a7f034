"""The TCP MSS is clamped in SYNs of both directions, and nothing else is touched (RFC 4459 section 3.2)."""

import struct

import pytest
from support.packets import ACK, HEADER, PSH, SYN, put, read, sums_are_right, tcp
from support.router import CLIENT, EXTERNAL, SERVER, Router, policy

MSS = HEADER + HEADER
"""Where the first TCP option lies."""


def option(value: int) -> bytes:
    """An MSS option."""
    return struct.pack("!BBH", 2, 4, value)


NOP, SCALE, END = b"\1", b"\3\3\7", b"\0"


@pytest.mark.parametrize(("said", "heard"), [(1460, 1412), (1412, 1412), (1411, 1411), (65535, 1412), (0, 0)])
def test_a_syn_says_no_more_than_fits(said: int, heard: int) -> None:
    router = Router(policy(mss=1412))
    sent = router.out(tcp(CLIENT, 40000, SERVER, 80, options=option(said)))
    assert sent[MSS : MSS + 4] == option(heard)
    assert sums_are_right(sent)
    near = read(sent).source_port
    came = router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK, options=option(said)))
    assert came[MSS : MSS + 4] == option(heard)
    assert sums_are_right(came)


@pytest.mark.parametrize("before", [b"", NOP, NOP + SCALE, NOP * 2, SCALE, SCALE + NOP * 2])
@pytest.mark.parametrize("ready", [True, False])
def test_it_is_found_wherever_it_lies(before: bytes, ready: bool) -> None:
    options = before + option(1460)
    options += END * (-len(options) % 4)
    packet = tcp(CLIENT, 40000, SERVER, 80, options=options)
    sent = Router(policy(mss=536)).out(packet, checksum_ready=ready)
    at = MSS + len(before)
    assert sent[at : at + 4] == option(536)
    assert sums_are_right(sent)
    assert put(sent[MSS:], len(before), option(1460)) == options


@pytest.mark.parametrize(
    "options",
    [
        bytes([2, 3, 5, 5]),
        bytes([2, 0, 5, 5]),
        bytes([2, 1, 5, 5]),
        bytes([9, 40, 2, 4]),
        END + option(1460)[:3],
        NOP * 3 + b"\2",
    ],
)
def test_options_that_make_no_sense_are_left_alone(options: bytes) -> None:
    sent = Router(policy(mss=536)).out(tcp(CLIENT, 40000, SERVER, 80, options=options))
    assert sent[MSS:] == options
    assert sums_are_right(sent)


@pytest.mark.parametrize("cut", [1, 2])
def test_an_option_that_ends_in_the_data_is_left_alone(cut: int) -> None:
    options = NOP * cut + option(65535)[:-cut]
    packet = tcp(CLIENT, 40000, SERVER, 80, options=options, payload=b"\xff\xff\xff\xff")
    sent = Router(policy(mss=536)).out(packet)
    assert sent[MSS:] == packet[MSS:]
    assert sums_are_right(sent)


def test_only_syns_are_looked_at() -> None:
    router = Router(policy(mss=536))
    router.into(
        tcp(SERVER, 80, EXTERNAL, read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port, SYN | ACK)
    )
    sent = router.out(tcp(CLIENT, 40000, SERVER, 80, ACK | PSH, options=option(1460), payload=b"data"))
    assert sent[MSS : MSS + 4] == option(1460)


def test_no_clamp_leaves_every_mss() -> None:
    sent = Router().out(tcp(CLIENT, 40000, SERVER, 80, options=option(65535)))
    assert sent[MSS : MSS + 4] == option(65535)
