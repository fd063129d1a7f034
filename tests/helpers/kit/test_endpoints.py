"""Endpoints in texts: found with what they say, written in the form they had."""

import re
from ipaddress import IPv4Address

import pytest

from nfmasq.helpers.kit import endpoints
from nfmasq.helpers.kit.base import Found, Mentioned, Named, NotActedOn, Side

OWN, OTHER = IPv4Address("192.168.1.10"), IPv4Address("203.0.113.2")
AT = 100
"""Where the text begins."""
WORDS = re.compile(rb".*?\[([^|]*)[|]+(\d+)\]")


def matched(pattern: bytes, text: bytes) -> re.Match[bytes]:
    """Where the pattern stands in the text."""
    match = re.search(pattern, text)
    assert match
    return match


def rewritten(place: Found | Named, text: bytes) -> bytes:
    """The text with another endpoint."""
    assert place.write
    return text[: place.start - AT] + place.write(OTHER, 40001) + text[place.end - AT :]


@pytest.mark.parametrize(
    ("text", "port", "new"),
    [
        (b"(192,168,1,10,19,137)", 5001, b"(203,0,113,2,156,65)"),
        (b"(192 , 168.1,010,19,0137)", 5001, b"(203 , 0.113,2,156,65)"),
        (b"at 192.168.1.10.", 0, b"at 203.0.113.2."),
    ],
)
def test_numbers(text: bytes, port: int, new: bytes) -> None:
    found = endpoints.in_numbers(matched(rb"\d[\d ,.]*\d", text), AT)
    assert (found.address, found.port, rewritten(found, text)) == (OWN, port, new)


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (b"x [192.168.1.10|5001]", b"x [203.0.113.2|40001]"),
        (b"[192.168.001.10||05001]", b"[203.0.113.2||40001]"),
        (b"[3232235786|5001]", b"[3405803778|40001]"),
    ],
)
def test_an_address_and_a_port(text: bytes, new: bytes) -> None:
    match = matched(WORDS.pattern, text)
    found = endpoints.address_and_port(match, AT)
    assert (found.address, found.port, rewritten(found, text)) == (OWN, 5001, new)
    alone, port = endpoints.address_alone(match, AT), endpoints.port_alone(match, AT, 2)
    assert (alone.address, port.address, port.port) == (OWN, None, 5001)
    assert rewritten(alone, text) == new.replace(b"40001", match[2])
    assert rewritten(port, text) == text.replace(match[2], b"40001")


@pytest.mark.parametrize(
    "text", [b"[192.168.1.256|1]", b"[192.168.1|1]", b"[4294967296|1]", b"[1|65536]", b"[-1|1]", b"[|1]"]
)
def test_numbers_out_of_range(text: bytes) -> None:
    with pytest.raises(NotActedOn, match="malformed"):
        endpoints.address_and_port(matched(WORDS.pattern, text), AT)


def test_one_of_some_addresses() -> None:
    for text, is_own in ((b"192.168.1.10", True), (b"3232235786", True), (b"1", False), (b"1.2", False)):
        assert endpoints.is_one_of(text, {OWN}) is is_own


def test_how_much_longer_a_text_may_become() -> None:
    short = endpoints.address_and_port(matched(WORDS.pattern, b"[1.1.1.1|1]"), AT)
    assert endpoints.growth(short) == len(b"255.255.255.255|65535") - len(b"1.1.1.1|1")
    long = endpoints.port_alone(matched(rb"(\d+)", b"0000005000"), AT)
    assert endpoints.growth(long) == 0
    assert endpoints.growth(long._replace(write=None, end=long.start)) == 0


@pytest.mark.parametrize("side", list(Side))
def test_an_address_in_four_bytes_is_the_speaker_s_or_is_mentioned(side: Side) -> None:
    found = endpoints.packed_alone(side, b"??" + OWN.packed + b"?", 2)
    assert type(found) is (Named if side is Side.INSIDE else Mentioned)
    assert (found.start, found.end, found.address, found.port) == (2, 6, OWN, 0)
    assert found.write(IPv4Address("9.0.0.1"), 0) == b"\x09\0\0\1"
