"""Endpoints of a Transport header: each form of them is announced or restored, and written as it was."""

from ipaddress import IPv4Address

import pytest
from support.dialogues import CLIENT, EXTERNAL

from helpers.protocols.rtsp.sayings import UDP, answered, client, ports, server, written
from nfmasq.helpers.kit.base import Found, Mentioned, Named

OTHER = IPv4Address("198.51.100.7")
STRANGER = b"192.168.1.99"


@pytest.mark.parametrize(
    ("text", "row", "new"),
    [
        (b"client_port=5000-5001", (5000, 2), b"40000-40001"),
        (b"client_port=5000", (5000, 2), b"40000"),
        (b"client_port=5000/5001", (5000, 2), b"40000/40001"),
        (b"client_port = 5000 - 5001", (5000, 2), b"40000 - 40001"),
        (b"CLIENT_PORT=5000-5001;mode=record", (5000, 2), b"40000-40001"),
        (b"client_port=5001-5002", (5001, 2), b"40000-40001"),
        (b"client_port=5001-5000", (5000, 2), b"40001-40000"),
        (b"client_port=5000-5000", (5000, 1), b"40000-40000"),
        (b"client_port=5000-5003", (5000, 4), b"40000-40003"),
        (b"client_port=65535", (65535, 1), b"40000"),
        (b"destination=192.168.1.10;client_port=5000", (5000, 2), b"198.51.100.7;client_port=40000"),
        (
            b"client_port=5000-5001;x;destination=192.168.1.10",
            (5000, 2),
            b"40000-40001;x;destination=198.51.100.7",
        ),
        (b"destination=192.168.1.10:5000", (5000, 2), b"198.51.100.7:40000"),
        (b'dest_addr=":5000"/":5001"', (5000, 2), b'40000"/":40001'),
        (
            b'dest_addr="192.168.1.10:5000"/"192.168.1.10:5001"',
            (5000, 2),
            b'198.51.100.7:40000"/"198.51.100.7:40001',
        ),
        (b'dest_addr=":5000";RTCP-mux', (5000, 2), b"40000"),
        (b'ssrc="a;client_port=1,b";client_port=5000-5001', (5000, 2), b"40000-40001"),
    ],
)
def test_each_form_is_written_as_it_was(text: bytes, row: tuple[int, int], new: bytes) -> None:
    heard = client(UDP + text)
    assert (ports(heard), written(heard), heard.not_acted_on) == ([row], [new], [])


@pytest.mark.parametrize("between", [b";", b";\r\n ", b"\r\n\t;"])
@pytest.mark.parametrize("ports", [b"client_port=5000-5001", b"client_port=5000/6000"])
@pytest.mark.parametrize("is_last", [False, True])
def test_a_third_host_keeps_its_address(between: bytes, ports: bytes, is_last: bool) -> None:
    """The engine takes each endpoint for forged: nothing of this alternative is written."""
    parts = [b"destination=" + STRANGER, ports]
    heard = client(UDP + between.join(parts[::-1] if is_last else parts))
    found = [each.what for each in heard.places if isinstance(each.what, Found)]
    assert found
    assert {each.address for each in found} == {IPv4Address(STRANGER.decode())}


def test_alternatives_with_the_same_ports_share_one_announcement() -> None:
    heard = client(
        b"RTP/AVP/UDP;unicast;client_port=5000-5001,RTP/AVP;multicast;port=1,RTP/AVP/TCP;interleaved=0-1,"
        b"RTP/AVP;unicast;client_port=5000-5001\r\nTransport: RAW/RAW/UDP;unicast;client_port=5000"
    )
    assert [each.what.reuse for each in heard.places if isinstance(each.what, Found)] == [False, True, True]


@pytest.mark.parametrize(
    ("first", "then"),
    [(b"5000-5001", b"5000-5003"), (b"5000-5000", b"5000"), (b"5000-5001", b"5001-5002")],
)
def test_a_row_that_overlaps_an_earlier_one_is_not_acted_on(first: bytes, then: bytes) -> None:
    heard = client(b",".join(UDP + b"client_port=" + each for each in (first, then)))
    assert (len(ports(heard)), heard.not_acted_on) == (1, ["not_allowed"])


def test_part_of_a_row_is_that_row() -> None:
    heard = client(UDP + b"client_port=5000-5003," + UDP + b"client_port=5002-5003")
    assert ports(heard) == [(5000, 4), (5002, 2)]
    assert [each.what.reuse for each in heard.places if isinstance(each.what, Found)] == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        b"RTP/AVP;unicast;destination=192.168.1.10",
        b"RTP/AVP/TCP;unicast;destination=192.168.1.10;interleaved=0-1",
        b"RTP/AVP;unicast;destination=192.168.1.10;client_port=",
        b'RTP/AVP/UDP;unicast;dest_addr="192.168.1.10"',
    ],
)
def test_an_address_without_a_port_does_not_stay_internal(text: bytes) -> None:
    (place,) = client(text).places
    assert isinstance(place.what, Named)
    assert place.what.write(OTHER, 0) == b"198.51.100.7"


@pytest.mark.parametrize("protocol", [b"RTP/AVP", b"RTP/AVP/TCP", b"RTP/AVP;multicast"])
def test_an_internal_server_s_address_without_a_port_does_not_stay_internal(protocol: bytes) -> None:
    (place,) = server(protocol + b";client_port=7000-7001;source=192.168.1.10").places
    assert isinstance(place.what, Named)


def test_ports_that_are_far_apart_are_announced_each() -> None:
    heard = client(UDP + b"destination=192.168.1.10;client_port=5000/6000")
    assert [type(each.what) for each in heard.places] == [Named, Found, Found]
    assert ports(heard) == [(5000, 1), (6000, 1)]


def test_more_endpoints_than_anybody_needs() -> None:
    heard = client(b",".join(UDP + b"client_port=%d" % (5000 + 2 * each) for each in range(20)))
    assert (len(heard.places), heard.not_acted_on) == (16, ["no_room"] * 4)


@pytest.mark.parametrize(
    ("text", "row", "new"),
    [
        (b"client_port=7000-7001;server_port=6000-6001", (6000, 2), b"6100-6101"),
        (b"client_port=7000-7001;server_port=6000", (6000, 2), b"6100"),
        (b"source=192.168.1.10;server_port=6000-6001", (6000, 2), b"203.0.113.2;server_port=6100-6101"),
        (b'dest_addr=":7000";src_addr="192.168.1.10:6000"/":6001"', (6000, 2), b'203.0.113.2:6100"/":6101'),
    ],
)
def test_an_internal_server_s_endpoints(text: bytes, row: tuple[int, int], new: bytes) -> None:
    heard = server(UDP + text)
    assert (ports(heard), written(heard, EXTERNAL, 6100)) == ([row], [new])


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (b"client_port=40000-40001;server_port=1-2", [40000, 40001], [b"5000", b"5000"]),
        (b"client_port=40000", [40000], [b"5000"]),
        (b"client_port=40000/40001", [40000, 40001], [b"5000", b"5000"]),
        (b"destination=203.0.113.2;client_port=40000", [40000, 40000], [b"192.168.1.10", b"5000"]),
        (b"client_port=40000;source=camera.example;server_port=1", [40000], [b"5000"]),
        (b"client_port=40000;source=1.2.3.400;server_port=x", [40000], [b"5000"]),
        (b"destination=host.example;client_port=40000", [40000], [b"5000"]),
        (b'dest_addr="203.0.113.2:40000"/":40001"', [40000, 40001], [b"192.168.1.10:5000", b"5000"]),
    ],
)
def test_a_remote_server_repeats_the_client_s(text: bytes, old: list[int], new: list[bytes]) -> None:
    """Each number is restored by itself, so the form stays as it is."""
    heard = answered(UDP + text)
    again = [each for each in heard.places if isinstance(each.what, Mentioned)]
    assert [each.what.port for each in again if isinstance(each.what, Mentioned)] == old
    assert written(heard, CLIENT, 5000)[1:] == new
