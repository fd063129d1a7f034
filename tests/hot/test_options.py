"""IP options: those that say where a packet has been are rid of internal addresses on their way out."""

from ipaddress import IPv4Address

import pytest
from support.packets import (
    ACK,
    UNREACHABLE,
    error,
    l4_at,
    put,
    quote_of,
    read,
    sums_are_right,
    tcp,
    udp,
)
from support.router import CLIENT, EXTERNAL, HOP, INNER_ROUTER, OTHER_CLIENT, SERVER, Router

NOP = b"\x01"
ZEROS = IPv4Address(0)
TIME = INNER_ROUTER.packed
"""A time that looks like an internal address, and is none."""


def padded(options: bytes) -> bytes:
    """Options up to a whole number of words."""
    return options + bytes(-len(options) % 4)


def record_route(*addresses: IPv4Address, pointer: int = 4) -> bytes:
    """RFC 791 section 3.1."""
    return bytes([7, 3 + 4 * len(addresses), pointer]) + b"".join(address.packed for address in addresses)


def timestamps(*addresses: IPv4Address, flag: int) -> bytes:
    """An address and a time each."""
    pairs = b"".join(address.packed + TIME for address in addresses)
    return bytes([68, 4 + len(pairs), 5 + len(pairs), flag]) + pairs


@pytest.mark.parametrize("nops", range(4))
@pytest.mark.parametrize("flag", [1, 3, 0x21])
def test_internal_addresses_are_hidden_wherever_they_lie(router: Router, nops: int, flag: int) -> None:
    """At even and odd bytes of the header, whose sum stays right; the hops outside are left."""
    before = NOP * nops + record_route(CLIENT, HOP, INNER_ROUTER) + timestamps(OTHER_CLIENT, HOP, flag=flag)
    after = NOP * nops + record_route(EXTERNAL, HOP, EXTERNAL) + timestamps(EXTERNAL, HOP, flag=flag)
    sent = router.out(udp(CLIENT, 40000, SERVER, 53, ip_options=padded(before)))
    assert sent[20 : l4_at(sent)] == padded(after)
    assert sums_are_right(sent)


@pytest.mark.parametrize(
    "options",
    [
        record_route(HOP, ZEROS, SERVER),
        record_route(),
        bytes([68, 12, 13, 0]) + CLIENT.packed + CLIENT.packed,
        bytes([0x94, 6]) + CLIENT.packed,
        b"\0" + record_route(CLIENT),
        bytes([7, 5, 4]) + CLIENT.packed[:2],
        bytes([68, 3, 5]) + NOP,
    ],
    ids=["other hosts", "an empty list", "times alone", "another option", "behind the end", "half", "a stub"],
)
def test_all_else_in_the_options_is_left_alone(router: Router, options: bytes) -> None:
    packet = udp(CLIENT, 40000, SERVER, 53, ip_options=padded(options))
    sent = router.out(packet)
    assert sent[20 : l4_at(sent)] == padded(options)
    assert sums_are_right(sent)


def test_what_comes_in_keeps_its_options(router: Router) -> None:
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    options = padded(record_route(CLIENT, EXTERNAL, HOP))
    got = router.into(udp(SERVER, 53, EXTERNAL, near, ip_options=options))
    assert got[20 : l4_at(got)] == options
    assert sums_are_right(got)


@pytest.mark.parametrize("from_router", [False, True])
def test_they_are_hidden_in_an_error_and_in_what_it_quotes(router: Router, from_router: bool) -> None:
    """An error repeats the options of the packet it is about."""
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    shown, hidden = padded(record_route(HOP, INNER_ROUTER)), padded(record_route(HOP, EXTERNAL))
    came = router.into(tcp(SERVER, 80, EXTERNAL, near, ACK, ip_options=shown))
    complaint = error(INNER_ROUTER, SERVER, came, UNREACHABLE, 4, rest=1400)
    left = router.out(complaint, from_router=from_router)
    assert quote_of(left) == tcp(SERVER, 80, EXTERNAL, near, ACK, ip_options=hidden)
    assert sums_are_right(left)


def test_options_of_a_quote_that_make_no_sense_are_left_where_they_begin(router: Router) -> None:
    """Nobody checks a quoted packet's options."""
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    options = padded(record_route(INNER_ROUTER) + bytes([7, 99, 4]) + CLIENT.packed)
    quoted = udp(SERVER, 53, CLIENT, 40000, ip_options=options)
    left = router.out(error(CLIENT, SERVER, quoted))
    expected = udp(SERVER, 53, EXTERNAL, near, ip_options=put(options, 3, EXTERNAL.packed))
    assert quote_of(left) == expected
    assert sums_are_right(left)
