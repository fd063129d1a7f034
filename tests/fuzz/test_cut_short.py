"""Every well-formed packet, cut short at every byte."""

import pytest
from support.packets import ICMP, checksum, l4_at, put, word

from fuzz.oracle import WAYS, How, judge
from fuzz.seeds import a_day, a_router

every_way = pytest.mark.parametrize("how", WAYS, ids=str)
MUST_BE_KNOWN = {"truncated", "ip_header_invalid"}


def resealed(packet: bytes) -> bytes:
    """A packet with its length and its header's and ICMP's checksums put right."""
    packet = put(packet, 2, word(len(packet)))
    packet = put(packet, 10, b"\0\0")
    packet = put(packet, 10, word(checksum(packet[: l4_at(packet)])))
    at = l4_at(packet)
    if packet[9] == ICMP and len(packet) >= at + 8:
        packet = put(packet, at + 2, b"\0\0")
        packet = put(packet, at + 2, word(checksum(packet[at:])))
    return packet


@every_way
def test_a_prefix_of_a_packet_is_never_taken_for_one(how: How) -> None:
    router = a_router()
    left, came = a_day(router)
    for packet in came if how.inbound else left:
        for length in range(len(packet)):
            assert judge(router, packet[:length], how) in MUST_BE_KNOWN


@every_way
def test_a_prefix_that_claims_to_be_whole_is_told_from_one(how: How) -> None:
    """The length says what is there: now the headers behind must be missed."""
    router = a_router()
    left, came = a_day(router)
    for packet in came if how.inbound else left:
        for length in range(l4_at(packet), len(packet) + 1):
            reason = judge(router, resealed(packet[:length]), how)
            if packet[9] == 6 and length < l4_at(packet) + 20:
                assert reason == "truncated"


@every_way
def test_the_whole_packets_are_good(how: How) -> None:
    """Else the two tests above would prove nothing."""
    router = a_router()
    left, came = a_day(router)
    for packet in came if how.inbound else left:
        reason = judge(router, packet, how)
        assert reason in ("", "protocol_untranslatable"), packet.hex()
