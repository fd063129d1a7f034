"""The parts of a TCP header that are none of a NAT's business, and options that are no options."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.packets import ACK, FIN, HEADER, PSH, SYN, URG, l4_at, put, read, sums_are_right
from support.router import CLIENT, EXTERNAL, SERVER, Router, policy

from hardening.segments import fields, segment

CLAMPED = 1200
ECE, CWR, NS = 0x40, 0x80, 0x01
TIMESTAMPS = bytes([1, 1, 8, 10]) + struct.pack("!II", 0xFFFFFFFF, 1)
MSS = bytes([2, 4, 5, 180])
FILLED = random.Random(793).randbytes(40)

ODD_OPTIONS = {
    "length 0": bytes([2, 0, 5, 180]),
    "length 0, unknown": bytes([77, 0, 0, 0]),
    "length 1": bytes([3, 1, 1, 1]),
    "past the header": bytes([2, 40, 5, 180]),
    "length 255": bytes([254, 255, 1, 1]),
    "a kind in the last byte (CVE-2026-43452)": bytes([1, 1, 1, 2]),
    "a scale in the last two": bytes([1, 1, 3, 3]),
    "a long MSS": bytes([2, 8, 5, 180, 0, 0, 0, 0]),
    "a short MSS": bytes([2, 3, 5, 0]),
    "two MSS": MSS + MSS,
    "an MSS behind the end": bytes([0, 0, 0, 0]) + MSS,
    "an MSS at an odd byte": bytes([1]) + MSS + bytes([1, 1, 1]),
    "an MSS behind 36 no-operations": bytes([1]) * 36 + MSS,
    "40 no-operations": bytes([1]) * 40,
    "40 zeros": bytes(40),
    "40 bytes of kind 8": bytes([8, 10]) * 20,
    "a scale of 255": bytes([1, 3, 3, 255]),
    "blocks that are no blocks": bytes([1, 1, 5, 9]) + bytes(8),
    "timestamps cut short": bytes([1, 1, 8, 10]),
    "anything": FILLED,
}


def as_a_walker_clamps(options: bytes, most: int) -> bytes:
    """The options with the first MSS lowered, by the slow obvious walk of RFC 9293 section 3.1."""
    at = 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if at + 2 > len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            break
        if options[at] == 2:
            if options[at + 1] == 4 and int.from_bytes(options[at + 2 : at + 4]) > most:
                return put(options, at + 2, most.to_bytes(2))
            break
        at += options[at + 1]
    return options


def _check_walk(options: bytes, mss: int) -> None:
    router = Router(policy(mss=mss))
    expected = as_a_walker_clamps(options, mss) if mss else options
    sent = router.out(segment(CLIENT, 40000, SERVER, 80, options=options))
    near = read(sent).source_port
    answer = segment(SERVER, 80, EXTERNAL, near, SYN | ACK, sequence=9, acknowledged=1, options=options)
    got = router.into(answer)
    for packet in (sent, got):
        assert fields(packet).options == expected
        assert sums_are_right(packet)
    later = router.out(segment(CLIENT, 40000, SERVER, 80, ACK, sequence=1, acknowledged=10, options=options))
    assert fields(later).options == options
    assert sums_are_right(later)


@pytest.mark.parametrize("mss", [0, CLAMPED])
@pytest.mark.parametrize("kind", ODD_OPTIONS)
def test_odd_options_pass_as_they_are(kind: str, mss: int) -> None:
    """Option walkers.

    Bounded: whoever reads them for the window scale or the MSS stops at the header's end, and changes nothing
    but the MSS that a receiver would find.
    """
    _check_walk(ODD_OPTIONS[kind], mss)


@given(
    options=st.binary(max_size=40).map(lambda some: some[: len(some) // 4 * 4]),
    mss=st.sampled_from([0, CLAMPED]),
)
def test_any_options_pass_as_they_are(options: bytes, mss: int) -> None:
    """Option walkers.

    Any bytes whatever, from nothing to forty.
    """
    _check_walk(options, mss)


@given(
    kinds=st.lists(
        st.sampled_from(
            [b"\1", MSS, bytes([3, 3, 9]), bytes([4, 2]), TIMESTAMPS[2:], bytes([5, 10]) + bytes(8)]
        ),
        max_size=8,
    )
)
def test_options_in_any_order_pass_as_they_are(kinds: list[bytes]) -> None:
    """Option walkers.

    The usual ones, in whatever order, at even and odd bytes.
    """
    options = b"".join(kinds)[:40]
    _check_walk(options + bytes(-len(options) % 4), CLAMPED)


def _open(router: Router, first: int = 0) -> int:
    near = read(router.out(segment(CLIENT, 40000, SERVER, 80, sequence=first))).source_port
    router.into(segment(SERVER, 80, EXTERNAL, near, SYN | ACK, sequence=99, acknowledged=first + 1))
    router.out(segment(CLIENT, 40000, SERVER, 80, ACK, sequence=first + 1, acknowledged=100))
    return near


@pytest.mark.parametrize("urgent", [0, 1, 5, 0x7FFF, 0xFFFF])
@pytest.mark.parametrize("flags", [ACK | URG, ACK, ACK | PSH | URG | ECE, ACK | CWR, ACK | FIN | URG])
def test_urgent_pointer_and_congestion_bits_are_kept(urgent: int, flags: int, router: Router) -> None:
    """URG pointer, timestamps, MSS, ECN bits.

    With the flag or without, both ways; the ECN bits of the IP header too.
    """
    near = _open(router)
    out = segment(
        CLIENT, 40000, SERVER, 80, flags, sequence=1, acknowledged=100, payload=b"abc", urgent=urgent,
        options=TIMESTAMPS,
    )  # fmt: skip
    into = segment(
        SERVER, 80, EXTERNAL, near, flags, sequence=100, acknowledged=1, payload=b"abc", urgent=urgent,
        options=TIMESTAMPS,
    )  # fmt: skip
    for packet, passed in ((out, router.out(out)), (into, router.into(into))):
        assert fields(passed) == fields(packet)
        assert sums_are_right(passed)


@pytest.mark.parametrize("service", range(0, 256, 17))
@pytest.mark.parametrize("reserved", range(16))
def test_the_service_byte_and_reserved_bits_are_kept(service: int, reserved: int, router: Router) -> None:
    """URG pointer, timestamps, MSS, ECN bits.

    DSCP and ECN of the IP header; of the TCP header the bits that AccECN uses (RFC 9768) and the rest.
    """
    packet = segment(CLIENT, 40000, SERVER, 80)
    changed = put(put(packet, 1, bytes([service])), HEADER + 12, bytes([packet[HEADER + 12] | reserved]))
    sent = router.out(changed)
    assert sent[1] == service
    assert sent[l4_at(sent) + 12] == changed[HEADER + 12]


@pytest.mark.parametrize("stamp", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_timestamps_of_any_value_pass(stamp: int, router: Router) -> None:
    """URG pointer, timestamps, MSS, ECN bits.

    PAWS is for the ends: the NAT drops nothing for a time that runs backwards, and changes none.
    """
    near = _open(router)
    for value in (stamp, 0, 0xFFFFFFFF, 5):
        options = bytes([1, 1, 8, 10]) + struct.pack("!II", value, stamp)
        out = segment(CLIENT, 40000, SERVER, 80, ACK, sequence=1, acknowledged=100, options=options)
        into = segment(SERVER, 80, EXTERNAL, near, ACK, sequence=100, acknowledged=1, options=options)
        assert fields(router.out(out)).options == options
        assert fields(router.into(into)).options == options


@pytest.mark.parametrize(("mss", "told"), [(0, 1460), (1460, 1460), (1459, 1459), (88, 88), (65495, 1460)])
def test_the_mss_is_lowered_at_most(mss: int, told: int) -> None:
    """URG pointer, timestamps, MSS, ECN bits.

    Never raised, never added, in SYNs alone and both ways; without one the SYN stays as it is.
    """
    router = Router(policy(mss=mss))
    sent = router.out(segment(CLIENT, 40000, SERVER, 80, options=MSS))
    near = read(sent).source_port
    answer = segment(SERVER, 80, EXTERNAL, near, SYN | ACK, sequence=9, acknowledged=1, options=MSS)
    for packet in (sent, router.into(answer)):
        assert fields(packet).options == put(MSS, 2, told.to_bytes(2))
        assert sums_are_right(packet)
    assert fields(router.out(segment(CLIENT, 40001, SERVER, 80))).options == b""
