"""Which datagrams ask for an answer, of real captures and of hosts that mean harm."""

from pathlib import Path

import pytest
from support.captures import UDP, frames

from nfmasq.helpers.kit.base import Found, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.tftp import LONGEST, Tftp

CAPTURES = Path(__file__).parent / "tftp" / "captures"
REQUESTS = {
    "ndpi-tftp.pcap": [3, 102, 103, 108],
    "rec-dnsmasq-single-port.pcap": [1],
    "suri-rrq.pcap": [1],
    "tcpdump-malformed.pcap": [],
    "tcpdump-tftp.pcap": [1],
}
"""The frames that ask for a file in a way that a server answers."""


def heard(data: bytes, side: Side = Side.INSIDE, *, inside_began: bool = True) -> Listener:
    """A dialogue that has read a datagram."""
    return Listener(Tftp(), inside_began).hear_all([(side, data)])


def is_request(data: bytes, side: Side = Side.INSIDE, *, inside_began: bool = True) -> bool:
    """Is an answer expected to the very port it came from?"""
    listener = heard(data, side, inside_began=inside_began)
    places = [place.what for place in listener.places]
    port = listener.session.internal[1]
    assert places in ([], [Found(0, 0, None, port, None, "udp")])
    assert not listener.left
    return bool(places)


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_of_a_capture_is_found_and_nothing_else(name: str) -> None:
    captured = [frame for frame in frames(CAPTURES / name) if frame.protocol == UDP]
    assert captured
    assert [frame.number for frame in captured if is_request(frame.payload)] == REQUESTS[name]


def test_every_capture_is_read() -> None:
    assert {path.name for path in CAPTURES.glob("*.pcap")} == set(REQUESTS)


@pytest.mark.parametrize(
    "data",
    [
        b"\0\1a\0octet\0",
        b"\0\2a\0NetASCII\0",
        b"\0\1a\0mail\0",
        b"\0\1a b/c\xff\0OCTET\0blksize\x001428\0tsize\x000\0",
        b"\0\1" + b"a" * (LONGEST - 9) + b"\0octet\0",
    ],
)
def test_a_request(data: bytes) -> None:
    assert is_request(data)
    assert not is_request(data, Side.OUTSIDE)
    assert not is_request(data, inside_began=False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1",
        b"\0\1a",
        b"\0\1a\0",
        b"\0\1\0octet\0",
        b"\0\1a\0octet",
        b"\0\1a\0octets\0",
        b"\0\1a\0octet\0blksize\0",
        b"\0\1a\0octet\0\0\0",
        b"\0\1a\0octet\0rest",
        b"\0\3\0\1data",
        b"\0\4\0\1",
        b"\0\5\0\1error\0",
        b"\0\6blksize\x001428\0",
        b"\1\1a\0octet\0",
        b"\0\1" + b"a" * (LONGEST - 8) + b"\0octet\0",
        b"\0\1\0\x08\x21\x12\xa4\x42" + b"i" * 12 + b"\0\x06\0\x04user",
        b"\x40\0\0\x0c\0\1a\0octet\0",
    ],
    ids=repr,
)
def test_no_request(data: bytes) -> None:
    """STUN begins like a request; a browser can send it, and TURN's channel data, to any port."""
    assert not is_request(data)


@pytest.mark.parametrize("byte", [b"\0", b"a", b"\0\1", b"a\0", b"octet\0"])
def test_64_kilobytes_of_anything_are_no_request(byte: bytes) -> None:
    for head in (b"", b"\0\1", b"\0\1a\0octet\0"):
        assert not is_request(head + byte * (65000 // len(byte)))
