"""The Transport header: which alternatives are read, folded ones too, and what cannot be."""

from ipaddress import IPv4Address

import pytest
from support.dialogues import SERVER

from helpers.protocols.rtsp.sayings import UDP, answered, client, ports, written
from nfmasq.helpers.kit.base import Admitted

OTHER = IPv4Address("198.51.100.7")


@pytest.mark.parametrize(
    "protocol",
    [b"RTP/AVP", b"RTP/AVP/UDP", b"rtp/savpf/udp", b"MP2T/H2221/UDP", b"x-real-rdt/udp", b"RAW/RAW/UDP"],
)
def test_protocols_over_udp(protocol: bytes) -> None:
    assert ports(client(protocol + b";unicast;client_port=5000-5001")) == [(5000, 2)]


@pytest.mark.parametrize(
    "text",
    [
        b"RTP/AVP/TCP;unicast;interleaved=0-1",
        b"RTP/AVP/TCP;unicast;client_port=5000-5001",
        b"x-pn-tng/tcp;mode=play;client_port=5000",
        b"RTP/AVP;multicast;client_port=5000-5001",
        b'RTP/AVP/D-ICE;unicast;dest_addr=":5000"',
        b"RTP/AVP;unicast",
        b"RTP/AVP;unicast;port=5000-5001",
        b"RTP/AVP;unicast;client_port=",
        b"",
        b",;,;;",
    ],
)
def test_others_are_left_as_they_are(text: bytes) -> None:
    heard = client(text)
    assert (heard.places, heard.not_acted_on, heard.left) == ([], [], False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"client_port=70000-70001", "malformed"),
        (b"client_port=x", "malformed"),
        (b"client_port=5000-5001-5002", "malformed"),
        (b"client_port=5000-5010", "malformed"),
        (b'client_port=5000;x="a', "malformed"),
        (b'dest_addr=":5000"' + b'/":5001"' * 300, "no_room"),
        (b"x;" * 200 + b"client_port=5000", "no_room"),
        (b"client_port=5000/6000;destination=camera.example", "forged"),
        (b"client_port=-1", "malformed"),
        (b"destination=camera.example;client_port=5000", "forged"),
        (b"destination=[2001:db8::1];client_port=5000", "forged"),
        (b"destination=192.168.1.300;client_port=5000", "malformed"),
        (b'dest_addr="192.168.1.10:5000"/"192.168.1.11:5001"', "forged"),
        (b"client_port=5000\r;x=1", "malformed"),
        (b"client_port=5000\n ;x=1\r", "malformed"),
        (b"client_port=5000\0;x=1", "malformed"),
    ],
)
def test_what_cannot_be_read_is_counted(text: bytes, reason: str) -> None:
    heard = client(UDP + text)
    assert (heard.places, heard.not_acted_on) == ([], [reason])


@pytest.mark.parametrize(
    "lines",
    [
        b"RTP/AVP;unicast;\r\n client_port=5000-5001",
        b"\r\n\tRTP/AVP;unicast;client_port=5000-5001",
        b"RTP/AVP;unicast;client_port=\r\n 5000-5001",
        b"RTP/AVP;unicast;client_port=5000\n\t-\r\n  5001",
        b'RTP/AVP;unicast;dest_addr="192.168.1.10:5000"\r\n /":5001"',
        b"RTP/AVP/TCP;interleaved=0-1,\r\n RTP/AVP\r\n  ;unicast\r\n ;client_port=5000-5001",
    ],
)
def test_a_folded_header(lines: bytes) -> None:
    assert ports(client(lines)) == [(5000, 2)]


def test_multicast_in_a_fold() -> None:
    assert client(b"RTP/AVP;unicast;client_port=5000-5001;\r\n multicast").places == []


def test_folds_stay_where_they_are() -> None:
    heard = client(UDP + b"destination=192.168.1.10;\r\n client_port=5000-5001")
    assert written(heard) == [b"198.51.100.7;\r\n client_port=40000-40001"]


def test_a_fold_of_another_header_is_none_of_its_own() -> None:
    assert ports(client(b"RTP/AVP;unicast\r\nUser-Agent: x\r\n ;client_port=5000-5001")) == []


def test_media_from_another_host() -> None:
    """The server says where it comes from: that host may open both ports as well."""
    heard = answered(UDP + b"client_port=40000-40001;source=198.51.100.7;server_port=6000-6001")
    assert heard.admitted == [Admitted("udp", 5000, OTHER), Admitted("udp", 5001, OTHER)]
    heard = answered(UDP + b"client_port=40000-40001;source=%s" % str(SERVER).encode())
    assert heard.admitted == []


def test_only_so_many_hosts_are_let_in() -> None:
    """A server could else name all hosts, and fill the expectations of its client."""
    sources = b"".join(b";source=198.51.100.%d" % host for host in range(7, 200))
    header = b";client_port=40000-40001;source=%b" % str(SERVER).encode()
    heard = answered(b"RTP/AVP" + header + sources[:300] + b",RTP/AVP;client_port=40000" + sources[300:600])
    assert [each.remote for each in heard.admitted if each.port == 5000] == [OTHER, OTHER + 1]
    assert len(heard.admitted) == 4
