"""The packets that the lab, the bench and the tests build."""

from ipaddress import IPv4Address

from scapy.layers.inet import IP, TCP, UDP

from nfmasq.lab.packets import ACK, datagram, segment

CLIENT = IPv4Address("192.168.1.2")
SERVER = IPv4Address("198.51.100.9")


def test_a_datagram_is_what_scapy_would_build() -> None:
    expected = IP(src=str(CLIENT), dst=str(SERVER), id=0, flags="DF", ttl=64)
    expected /= UDP(sport=20000, dport=9) / bytes(64)
    assert datagram((CLIENT, 20000), (SERVER, 9), 64) == bytes(expected)


def test_a_segment_is_what_scapy_would_build() -> None:
    expected = IP(src=str(CLIENT), dst=str(SERVER), id=0, flags="DF", ttl=64)
    expected /= TCP(sport=20000, dport=80, flags="A", seq=5, ack=7, window=0xFFFF) / bytes(99)
    assert segment((CLIENT, 20000), (SERVER, 80), ACK, (5, 7), size=99) == bytes(expected)
