"""Checksums, exhaustively where that is possible: every old word, every new word, every value of the field.

The measure is the whole sum made anew, the slow obvious way. tests/property holds the core to scapy's.
"""

import random
import struct
from collections.abc import Callable

import pytest
from support.packets import (
    CHECK_AT,
    DCCP,
    ICMP,
    TCP,
    UDP,
    UDPLITE,
    ip,
    pseudo_header,
    put,
    query,
    read,
    summed,
    sums_are_right,
    tcp,
    udp,
    word,
)
from support.packets import checksum as slow_checksum
from support.router import CLIENT, EXTERNAL, SERVER, Router, policy, second

from nfmasq._fastpath import Table, checksum

EVERY_WORD = range(0x10000)


def field(packet: bytes) -> int:
    """The transport checksum as it is written."""
    return int.from_bytes(packet[20 + CHECK_AT[packet[9]] :][:2])


def fold(total: int) -> int:
    """A sum of words brought down to sixteen bits."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def error_of(packet: bytes) -> int:
    """By how much a transport checksum is wrong, in one's complement; 0: it is right."""
    at = CHECK_AT[packet[9]]
    right = summed(read(packet).source, read(packet).destination, packet[9], packet[20:])
    return (field(packet) - int.from_bytes(right[at : at + 2])) % 0xFFFF


def series(packet: bytes, place: int) -> Callable[[int], bytes]:
    """The same packet with any word at `place` of its transport part, and the whole sum over it."""
    at, place, protocol = 20 + CHECK_AT[packet[9]], 20 + place, packet[9]
    blank = put(put(packet, at, b"\0\0"), place, b"\0\0")
    summed_up = (
        pseudo_header(read(packet).source, read(packet).destination, protocol, len(packet) - 20) + blank[20:]
    )
    total = slow_checksum(summed_up) ^ 0xFFFF

    def member(value: int) -> bytes:
        check = fold(total + value) ^ 0xFFFF
        if check == 0 and protocol in (UDP, UDPLITE):
            check = 0xFFFF
        return put(put(blank, at, word(check)), place, word(value))

    return member


PAYLOAD = {TCP: 20, UDP: 8, UDPLITE: 8}


@pytest.mark.parametrize("make", [udp, tcp])
def test_every_old_port_and_every_new_port(make: Callable[..., bytes]) -> None:
    """The range is all ports, so each is handed out once, to another old port in every run."""
    table = Table(None, 0xFFFF)
    table.configure(policy(ports=((1, 0xFFFF),), sessions=0xFFFF))
    inside, outside = series(make(CLIENT, 1, SERVER, 53), 0), series(make(EXTERNAL, 1, SERVER, 53), 0)
    seen, now = set(), second()
    for port in range(1, 0x10000):
        reason, sent = table.translate(inside(port), now=now)
        new = int.from_bytes(sent[20:22])
        seen.add(new)
        assert sent == outside(new), (reason, port, new)
        assert new % 2 == port % 2
    assert len(seen) == 0xFFFF


@pytest.mark.parametrize("make", [udp, tcp])
def test_every_value_the_checksum_can_have(make: Callable[..., bytes]) -> None:
    """A payload word runs through all values, and so does the sum; UDP never says 0, "no checksum"."""
    router = Router()
    first = make(CLIENT, 40000, SERVER, 53, payload=b"\0\0")
    near = read(router.out(first)).source_port
    place = PAYLOAD[first[9]]
    asked = series(first, place)
    expected = series(make(EXTERNAL, near, SERVER, 53, payload=b"\0\0"), place)
    came = series(make(SERVER, 53, EXTERNAL, near, payload=b"\0\0"), place)
    back = series(make(SERVER, 53, CLIENT, 40000, payload=b"\0\0"), place)
    seen = set()
    for value in EVERY_WORD:
        sent = router.out(asked(value))
        assert sent == expected(value), hex(value)
        assert router.into(came(value)) == back(value), hex(value)
        seen.add(field(sent))
    assert len(seen) == 0xFFFF
    assert (0 in seen) == (make is tcp)


@pytest.mark.parametrize("protocol", [TCP, UDP, ICMP, UDPLITE, DCCP])
def test_a_wrong_checksum_stays_wrong_by_the_same_amount(protocol: int) -> None:
    """Damage on the way in must still be seen at the far end (UDP's zero apart, which says nothing)."""
    router = Router()
    packets = {
        TCP: tcp(CLIENT, 40000, SERVER, 80),
        UDP: udp(CLIENT, 40000, SERVER, 80),
        ICMP: query(CLIENT, SERVER, 7),
        UDPLITE: ip(
            CLIENT, SERVER, UDPLITE, summed(CLIENT, SERVER, UDPLITE, b"\x11\x11\x22\x22\0\0\0\0data")
        ),
        DCCP: ip(
            CLIENT, SERVER, DCCP, summed(CLIENT, SERVER, DCCP, b"\x11\x11\x22\x22\x05\0\0\0" + bytes(12))
        ),
    }
    packet = packets[protocol]
    if protocol == ICMP:
        right_in = struct.unpack_from("!H", packet, 22)[0]
        right_out = struct.unpack_from("!H", router.out(packet), 22)[0]
        for wrong in range(0, 0x10000, 7):
            sent = router.out(put(packet, 22, word(wrong)))
            out = struct.unpack_from("!H", sent, 22)[0]
            assert (out - right_out) % 0xFFFF == (wrong - right_in) % 0xFFFF
        return
    for wrong in range(1 if protocol == UDP else 0, 0x10000, 7):
        damaged = put(packet, 20 + CHECK_AT[protocol], word(wrong))
        assert error_of(router.out(damaged)) == error_of(damaged), hex(wrong)


def test_udp_without_a_checksum_stays_without(router: Router) -> None:
    for payload in (b"", b"x", b"question"):
        assert field(router.out(udp(CLIENT, 40000, SERVER, 53, payload, without_sum=True))) == 0


@pytest.mark.parametrize("protocol", [UDP, UDPLITE])
def test_a_sum_that_comes_out_as_zero_is_sent_as_all_ones(protocol: int) -> None:
    """RFC 768, RFC 3828."""
    router = Router()
    packet = series(ip(CLIENT, SERVER, protocol, b"\x9c\x40\x00\x35\x00\x0a\0\0\0\0"), PAYLOAD[protocol])
    seen = {field(router.out(packet(value))) for value in EVERY_WORD}
    assert seen == set(range(1, 0x10000))


@pytest.mark.parametrize("inbound", [False, True])
@pytest.mark.parametrize("payload", [b"", b"x", b"xy", bytes(range(255)), bytes(1460), b"\xff" * 1459])
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_what_was_left_to_the_device_leaves_with_its_whole_sum(
    router: Router, protocol: int, payload: bytes, inbound: bool
) -> None:
    """The kernel takes a packet that is handed back as summed."""
    first = tcp(CLIENT, 40000, SERVER, 80) if protocol == TCP else udp(CLIENT, 40000, SERVER, 80)
    near = read(router.out(first)).source_port
    ends = (SERVER, 80, EXTERNAL, near) if inbound else (CLIENT, 40000, SERVER, 80)
    whole = tcp(*ends, payload=payload) if protocol == TCP else udp(*ends, payload)
    partial = fold(~slow_checksum(pseudo_header(ends[0], ends[2], protocol, len(whole) - 20)) & 0xFFFF)
    packet = put(whole, 20 + CHECK_AT[protocol], word(partial))
    sent = router.into(packet, checksum_ready=False) if inbound else router.out(packet, checksum_ready=False)
    assert sums_are_right(sent)
    assert field(sent) != 0 or protocol == TCP
    assert sent[20 + CHECK_AT[protocol] + 2 :] == packet[20 + CHECK_AT[protocol] + 2 :]


def test_udp_left_to_the_device_never_leaves_as_zero() -> None:
    router = Router()
    packet = series(udp(CLIENT, 40000, SERVER, 53, b"\0\0"), PAYLOAD[UDP])
    seen = {field(router.out(packet(value), checksum_ready=False)) for value in EVERY_WORD}
    assert seen == set(range(1, 0x10000))


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_a_super_packet_leaves_with_the_pseudo_header_sum_of_its_new_addresses(
    router: Router, protocol: int
) -> None:
    """Whoever cuts it up sums each part; ports are no part of the pseudo-header."""
    payload = random.Random(1).randbytes(60_000)
    whole = (
        tcp(CLIENT, 40000, SERVER, 80, payload=payload)
        if protocol == TCP
        else udp(CLIENT, 40000, SERVER, 80, payload)
    )
    length = len(whole) - 20
    partial = slow_checksum(pseudo_header(CLIENT, SERVER, protocol, length)) ^ 0xFFFF
    sent = router.out(put(whole, 20 + CHECK_AT[protocol], word(partial)), checksum_ready=False, gso=True)
    assert field(sent) == slow_checksum(pseudo_header(EXTERNAL, SERVER, protocol, length)) ^ 0xFFFF
    assert read(sent).source_port != 40000
    assert sent[38 if protocol == TCP else 28 :] == whole[38 if protocol == TCP else 28 :]


def test_a_super_packet_comes_in_with_its_whole_sum(router: Router) -> None:
    """conntrack verifies what comes in."""
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    whole = tcp(SERVER, 80, EXTERNAL, near, payload=random.Random(2).randbytes(60_001))
    got = router.into(put(whole, 36, b"\x12\x34"), checksum_ready=False, gso=True)
    assert sums_are_right(got)


def test_a_summed_super_packet_keeps_its_sum_right(router: Router) -> None:
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    assert sums_are_right(router.out(tcp(CLIENT, 40000, SERVER, 80, payload=bytes(30_000)), gso=True))
    assert sums_are_right(router.into(tcp(SERVER, 80, EXTERNAL, near, payload=bytes(30_000)), gso=True))


def test_a_udp_super_packet_from_outside_is_cut_up_before_it_is_touched(router: Router) -> None:
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    packet = udp(SERVER, 53, EXTERNAL, near, bytes(9000))
    assert router.try_in(packet, gso=True, checksum_ready=False) == ("", packet)
    assert router.row().packets_in == 0
    assert sum(map(sum, router.table.counters().packets)) == 1, "its parts are counted when they come"
    assert router.table.counters().passed == 0


@pytest.mark.parametrize("start", range(8))
def test_any_length_from_any_alignment(start: int) -> None:
    data = random.Random(start).randbytes(300)
    for length in range(280):
        part = memoryview(data)[start : start + length]
        assert checksum(part) ^ 0xFFFF == slow_checksum(bytes(part))


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\0", b"\xff\xff" * 40, b"\xff" * 65535, b"\xff\xfe" * 32768]
)
def test_sums_with_many_carries(data: bytes) -> None:
    assert checksum(data) ^ 0xFFFF == slow_checksum(data)


def test_a_sum_goes_on_from_another() -> None:
    data = random.Random(3).randbytes(64)
    for initial in range(0, 0x10000, 17):
        assert checksum(data, initial) ^ 0xFFFF == slow_checksum(word(initial) + data)
