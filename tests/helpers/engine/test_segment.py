"""Segments read and written: options bounded, lengths believed only where they fit."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.packets import ACK, HEADER, put, sums_are_right, tcp, word

from helpers.engine.bed import CLIENT, SERVER, Bed, Connection, payload_of
from helpers.engine.here import text_of
from nfmasq.helpers.engine import segment
from nfmasq.helpers.engine.segment import Segment, edges_moved, transport_of


def made(options: bytes, payload: bytes = b"") -> Segment:
    """A segment with these options, a multiple of four bytes."""
    return segment.read(tcp(CLIENT, 1, SERVER, 2, ACK, options=options, payload=payload), HEADER)


def block(begin: int, end: int) -> bytes:
    """A SACK block."""
    return begin.to_bytes(4) + end.to_bytes(4)


def moved(by: int) -> Callable[[int], int]:
    """Move a number."""
    return lambda number: (number + by) % (1 << 32)


def test_every_block_is_moved_and_the_rest_stays() -> None:
    stamp = bytes([8, 10]) + bytes(8)
    options = bytes([1, 1]) + stamp + bytes([1, 1, 5, 18]) + block(10, 20) + block(0xFFFFFFFF, 3)
    expected = bytes([1, 1]) + stamp + bytes([1, 1, 5, 18]) + block(15, 25) + block(4, 8)
    assert edges_moved(made(options), moved(5), moved(5)) == expected


def test_a_block_that_nothing_is_left_of_is_left_out() -> None:
    both = bytes([1, 1, 5, 18]) + block(10, 20) + block(30, 40)
    after = edges_moved(made(both), lambda edge: edge, lambda edge: 10 if edge == 20 else edge)
    assert after == bytes([1, 1, 5, 10]) + block(30, 40) + bytes([1] * 8)
    one = bytes([1, 1, 5, 10]) + block(10, 20)
    assert edges_moved(made(one), moved(0), moved(-10)) == bytes([1] * 12)


@pytest.mark.parametrize(
    "options",
    [
        b"\x05\x0a\0\0",
        b"\x05\x00\x05\x0a",
        b"\x05\x03\0\0",
        b"\x05\x02\x01\x01",
        b"\x08\x00\x05\x0a" + bytes(8),
        b"\x00\x05\x0a\x01" + bytes(8),
        b"\x01\x01\x01\x05",
    ],
)
def test_what_is_no_whole_option_stays(options: bytes) -> None:
    assert edges_moved(made(options), moved(1), moved(1)) is None


@given(st.integers(0, 10).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)))
def test_no_options_do_harm(options: bytes) -> None:
    after = edges_moved(made(options, b"payload"), moved(77), moved(78))
    assert after is None or len(after) == len(options)


@given(st.binary(max_size=80))
def test_no_bytes_do_harm(packet: bytes) -> None:
    try:
        protocol, at = transport_of(packet)
        segment.read(packet, at)
    except ValueError:
        return
    assert protocol in range(256)


@pytest.mark.parametrize("offset", [0, 4, 11, 15])
def test_a_header_past_the_packet_is_none(offset: int) -> None:
    packet = put(tcp(CLIENT, 1, SERVER, 2, ACK, payload=b"12345"), HEADER + 12, bytes([offset << 4]))
    with pytest.raises(ValueError):
        segment.read(packet, HEADER)


@pytest.mark.parametrize("fragment", [0x2000, 0x0001, 0x2001])
def test_a_part_of_a_packet_is_none(fragment: int) -> None:
    with pytest.raises(ValueError):
        transport_of(put(tcp(CLIENT, 1, SERVER, 2), 6, word(fragment)))


@given(st.integers(0, 10).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)))
def test_any_options_pass_a_rewritten_connection(options: bytes) -> None:
    connection = Connection(Bed()).open()
    line = b"HI\r\nHERE " + text_of(CLIENT, 5000) + b"\r\n"
    connection.say(0, line)
    (packet,) = connection.send(1, b"HI\r\n", acked=3, options=options)
    assert payload_of(packet) == b"HI\r\n"
    assert connection.told(1, packet) == 3
    assert sums_are_right(packet)
