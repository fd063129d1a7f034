"""Random bytes, and good packets spoilt at random. More of them: NFMASQ_FUZZ=1000000 pytest tests/fuzz."""

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packets import l4_at, put, word
from support.router import CLIENT, EXTERNAL, HOP, LAN, OTHER_SERVER, SERVER

from fuzz.oracle import WAYS, How, judge
from fuzz.seeds import a_day, a_router
from fuzz.test_cut_short import resealed
from nfmasq.core.reasons import BY_NAME

COUNT = int(os.environ.get("NFMASQ_FUZZ", "20000"))
SEED = int(os.environ.get("NFMASQ_FUZZ_SEED", "1"))
EDGES = [0, 1, 7, 8, 15, 16, 20, 0x3F, 0x40, 0x45, 0x46, 0x4F, 0x7F, 0x80, 0xE0, 0xFE, 0xFF]
ROLES = [
    address.packed for address in (CLIENT, SERVER, OTHER_SERVER, EXTERNAL, HOP, LAN[1], LAN.broadcast_address)
]
ELSEWHERE = [bytes([top, 0, 0, 1]) for top in (0, 10, 127, 224, 240, 255)]

ways = st.builds(How, st.booleans(), st.booleans(), st.booleans(), st.booleans())
ROUTER = a_router()
"""Random bytes begin next to no session: one router serves them all."""


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.binary(max_size=120), ways)
def test_random_bytes(data: bytes, how: How) -> None:
    judge(ROUTER, data, how)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.binary(min_size=20, max_size=120), st.integers(5, 15), st.sampled_from([1, 6, 17, 33, 47, 136]), ways
)
def test_random_bytes_that_look_like_a_packet(data: bytes, words: int, protocol: int, how: How) -> None:
    packet = bytes([0x40 + words]) + data[1:9] + bytes([protocol]) + data[10:]
    packet = put(put(packet, 6, b"\x40\0"), 12, (SERVER if how.inbound else CLIENT).packed)
    packet = put(packet, 16, (EXTERNAL if how.inbound else SERVER).packed)
    judge(ROUTER, resealed(packet) if len(packet) >= words * 4 else packet, how)


def an_address(dice: random.Random, packet: bytes, _: int) -> bytes:
    """Another address, in the header or in a quoted one."""
    place = dice.choice([12, 16, 40, 44])
    return put(packet, place, dice.choice(ROLES + ELSEWHERE)) if len(packet) >= place + 4 else packet


SPOILERS: list[Callable[[random.Random, bytes, int], bytes]] = [
    lambda dice, packet, at: put(packet, at, bytes([packet[at] ^ 1 << dice.randrange(8)])),
    lambda dice, packet, at: put(packet, at, bytes([dice.choice(EDGES)])),
    lambda dice, packet, at: put(packet, min(at & ~1, len(packet) - 2), word(dice.randrange(0x10000))),
    lambda dice, packet, at: packet[: at + 1],
    lambda dice, packet, at: packet + dice.randbytes(dice.randrange(1, 24)),
    lambda dice, packet, at: packet[:at] + dice.randbytes(dice.randrange(1, 5)) + packet[at:],
    an_address,
]


def spoil(dice: random.Random, packet: bytes) -> bytes:
    """Change a packet in one way out of a few, anywhere."""
    return dice.choice(SPOILERS)(dice, packet, dice.randrange(len(packet)))


def may_be_resealed(packet: bytes) -> bool:
    """Is there a header whose checksum could be put right?"""
    return len(packet) >= 20 and 20 <= l4_at(packet) <= len(packet)


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_good_packets_spoilt(how: How) -> None:
    dice = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    router = a_router()
    left, came = a_day(router)
    for turn in range(COUNT // len(WAYS)):
        packet = dice.choice(came if how.inbound else left)
        for _ in range(dice.choice([1, 1, 1, 2, 3, 8])):
            packet = spoil(dice, packet)
        if dice.random() < 0.7 and may_be_resealed(packet):
            packet = resealed(packet)
        outcomes[judge(router, packet, how)] += 1
        if turn % 1000 == 999:
            router.table.flush()
            left, came = a_day(router)
    assert outcomes[""] > COUNT // len(WAYS) // 20, "spoilt too much: next to nothing is left to translate"
    assert len(outcomes) > 8, outcomes
    assert set(outcomes) <= {"", *BY_NAME}


def test_a_flood_of_spoilt_packets_leaves_the_table_whole() -> None:
    """What the mutations began can be told, counted and ended."""
    dice = random.Random(SEED)
    router = a_router()
    left, came = a_day(router)
    for _ in range(2000):
        how = dice.choice(WAYS)
        judge(router, resealed_if_so(spoil(dice, dice.choice(came if how.inbound else left))), how)
    rows = router.rows()
    assert sum(router.table.gauges().sessions) == len(rows)
    assert sum(router.table.gauges().mappings) == len(router.table.mappings(limit=1 << 16))
    assert router.wait(100_000) == len(rows)
    assert sum(router.table.gauges().ports_in_use) == 0


def resealed_if_so(packet: bytes) -> bytes:
    """Sealed anew where there is a header to seal."""
    return resealed(packet) if may_be_resealed(packet) else packet
