"""The packets that the lab, the bench and the tests build, against scapy's."""

from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from nfmasq.lab.packets import (
    ACK,
    ECHO,
    checksum,
    error,
    ip_sum_is_right,
    put,
    query,
    read,
    sums_are_right,
    tcp,
    transport_sum_is_right,
    udp,
    word,
)

CLIENT = IPv4Address("192.168.1.2")
SERVER = IPv4Address("198.51.100.9")
FRONT = IP(src=str(CLIENT), dst=str(SERVER), id=7, flags="DF", ttl=64)


def test_a_datagram_is_what_scapy_would_build() -> None:
    expected = FRONT / UDP(sport=20000, dport=9) / bytes(64)
    assert udp((CLIENT, 20000), (SERVER, 9), bytes(64), identification=7) == bytes(expected)


def test_a_segment_is_what_scapy_would_build() -> None:
    expected = FRONT / TCP(sport=20000, dport=80, flags="A", seq=5, ack=7, window=64000) / bytes(99)
    made = tcp((CLIENT, 20000), (SERVER, 80), ACK, 5, 7, payload=bytes(99), identification=7)
    assert made == bytes(expected)


def test_a_query_is_what_scapy_would_build() -> None:
    expected = FRONT / ICMP(type=ECHO, id=77, seq=1) / b"abcdefgh"
    assert query((CLIENT, 77), (SERVER, 0), identification=7) == bytes(expected)


def test_an_error_quotes_what_it_is_given() -> None:
    datagram = udp((CLIENT, 20000), (SERVER, 9))
    seen = read(error(SERVER, CLIENT, datagram))
    assert (seen.source, seen.icmp) == ((SERVER, 0), (3, 3))
    assert (seen.quoted.source, seen.quoted.destination) == ((CLIENT, 20000), (SERVER, 9))


def test_packets_have_another_identification_each_unless_one_is_given() -> None:
    first, second = (udp((CLIENT, 20000), (SERVER, 9)) for _ in range(2))
    assert first[4:6] != second[4:6]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0xFFFF),
        (bytes(8), 0xFFFF),
        (b"\xff\xff", 0),
        (bytes.fromhex("0001f203f4f5f6f7"), 0x220D),
        (b"\x01", 0xFEFF),
    ],
)
def test_the_checksum_is_that_of_rfc_1071(data: bytes, expected: int) -> None:
    """The long one is the RFC's example; an odd byte is the high half of a word."""
    assert checksum(data) == expected


def test_a_udp_checksum_that_comes_to_zero_is_sent_as_all_ones() -> None:
    plain = udp((CLIENT, 20000), (SERVER, 9), bytes(2))
    made = udp((CLIENT, 20000), (SERVER, 9), plain[26:28])
    assert made[26:28] == b"\xff\xff"
    assert sums_are_right(made)


def test_a_wrong_bit_is_seen_in_either_checksum() -> None:
    made = tcp((CLIENT, 20000), (SERVER, 80), ACK)
    assert sums_are_right(made)
    assert not ip_sum_is_right(put(made, 8, b"\x3f"))
    assert not transport_sum_is_right(put(made, 24, word(9)))


def test_an_unfinished_segment_has_the_pseudo_headers_sum() -> None:
    made = tcp((CLIENT, 20000), (SERVER, 80), ACK, finished=False)
    pseudo = CLIENT.packed + SERVER.packed + word(6) + word(20)
    assert made[36:38] == word(0xFFFF ^ checksum(pseudo))
    assert ip_sum_is_right(made)
