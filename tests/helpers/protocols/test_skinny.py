"""What a phone says of itself in each message, in both layouts, and what is no such message."""

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from helpers.protocols.played import play, to_port
from nfmasq.helpers.kit.base import Found, Named, Place, Side
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, Listener
from nfmasq.helpers.kit.rewriting import rewritten
from nfmasq.helpers.protocols.skinny import LONGEST_READ, Skinny

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "skinny" / "captures"
OLD, NEW = 0, 20
Facts = tuple[IPv4Address | None, int]


def said(message: int, body: bytes, version: int = OLD) -> bytes:
    """A frame."""
    return struct.pack("<III", len(body) + 4, version, message) + body


def numbers(*values: int) -> bytes:
    """Numbers as they are written."""
    return struct.pack(f"<{len(values)}I", *values)


def written(own: IPv4Address, version: int) -> bytes:
    """An address as a version of the header has it."""
    return own.packed if version < 17 else numbers(0) + own.packed + bytes(12)


def acknowledged(own: IPv4Address, port: int, version: int, message: int = 0x22) -> bytes:
    """A message that says where its phone hears, or from where it sends."""
    before = numbers(0) if message in {0x22, 0x31} else numbers(1, 2, 3)
    return said(message, before + written(own, version) + numbers(port) + numbers(7), version)


def facts(places: list[Place]) -> list[Facts]:
    """What was found, each as it has to be."""
    for each in places:
        if isinstance(each, Found):
            kind = (each.transport, each.anyone, each.consecutive, each.ends_with_control)
            assert kind == ("udp", True, 2, False)
    return [(each.address, each.port) for each in places if isinstance(each, Found | Named)]


def heard(*texts: bytes, side: Side = INSIDE, inside_began: bool = True) -> Listener:
    """A dialogue that has heard this from one side."""
    return Listener(Skinny(), inside_began).hear_all([(side, text) for text in texts])


def found(*texts: bytes) -> list[Facts]:
    """What a dialogue finds."""
    listener = heard(*texts)
    assert not listener.left
    return facts([place.what for place in listener.places])


@pytest.mark.parametrize("version", [0, 10, 16, 17, 20, 22])
@pytest.mark.parametrize("message", [0x22, 0x31, 0x154, 0x155, 0x45])
def test_the_endpoint_of_each_message_is_rewritten_in_its_place(message: int, version: int) -> None:
    text = acknowledged(INTERNAL, 20480, version, message)
    assert found(text) == [(INTERNAL, 20480)]
    ((_, new),) = rewritten([(INSIDE, text)], heard(text), (EXTERNAL, 50000))
    assert new == acknowledged(EXTERNAL, 50000, version, message)


@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_port_for_rtcp_behind_the_one_for_rtp_goes_with_it(version: int) -> None:
    text = said(0x45, numbers(1, 2, 3) + written(INTERNAL, version) + numbers(20480, 20481), version)
    ((_, new),) = rewritten([(INSIDE, text)], heard(text), (EXTERNAL, 50000))
    assert new == said(0x45, numbers(1, 2, 3) + written(EXTERNAL, version) + numbers(50000, 50001), version)


@pytest.mark.parametrize("message", [0x01, 0x29])
def test_a_phone_registers(message: int) -> None:
    for version in (OLD, NEW):
        text = said(message, bytes(24) + INTERNAL.packed + bytes(20), version)
        assert found(text) == [(INTERNAL, 0)]
        ((_, new),) = rewritten([(INSIDE, text)], heard(text), (EXTERNAL, 1))
        assert new == said(message, bytes(24) + EXTERNAL.packed + bytes(20), version)


def test_a_port_alone() -> None:
    text = said(0x02, numbers(49152))
    assert found(text) == [(None, 49152)]
    ((_, new),) = rewritten([(INSIDE, text)], heard(text), (EXTERNAL, 50000))
    assert new == said(0x02, numbers(50000))


@pytest.mark.parametrize(
    "text",
    [
        acknowledged(INTERNAL, 0, OLD),
        acknowledged(INTERNAL, 0, NEW),
        said(0x02, numbers(0)),
        said(0x22, numbers(0, 1) + bytes(16) + numbers(20480, 7), NEW),
        said(0x22, numbers(0) + INTERNAL.packed),
        said(0x22, numbers(0) + INTERNAL.packed + numbers(20480)[:3]),
        said(0x22, numbers(0, 0) + INTERNAL.packed + bytes(12) + b"\0\x50", NEW),
        said(0x22, b""),
        said(0x01, bytes(27)),
        said(0x02, b"\0\x50"),
        said(0x8A, numbers(1, 2) + written(INTERNAL, OLD) + numbers(20480)),
        said(0x00, b""),
        said(0x22, numbers(0) + INTERNAL.packed + numbers(20480) + bytes(LONGEST_READ)),
    ],
)
def test_what_names_no_port_of_ipv4_stays(text: bytes) -> None:
    assert found(text, acknowledged(INTERNAL, 20482, OLD)) == [(INTERNAL, 20482)]


def test_a_port_is_no_more_than_16_bits() -> None:
    listener = heard(acknowledged(INTERNAL, 0x10000 + 20480, OLD), acknowledged(INTERNAL, 20480, OLD))
    assert listener.not_acted_on == ["malformed"]
    assert len(listener.places) == 1


def test_the_call_manager_s_messages_and_phones_outside_are_only_read() -> None:
    text = acknowledged(INTERNAL, 20480, OLD)
    for side, began in ((OUTSIDE, True), (INSIDE, False), (OUTSIDE, False)):
        listener = heard(text, side=side, inside_began=began)
        assert (listener.places, listener.left) == ([], False)


@pytest.mark.parametrize(
    "before",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
        b"PO",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        struct.pack("<III", 3, 0, 0x22),
        struct.pack("<III", 1 << 16, 0, 0x22),
        struct.pack("<III", 24, 256, 0x22),
        struct.pack("<III", 24, 0, 0x10022),
    ],
)
def test_what_begins_otherwise_is_never_read(before: bytes) -> None:
    """Of a page in a browser, too, whose next segment is a phone's message."""
    listener = heard(before, acknowledged(INTERNAL, 20480, OLD))
    assert (listener.places, listener.left) == ([], True)


PHONE1, PHONE2 = IPv4Address("192.168.195.58"), IPv4Address("192.168.195.50")
OWN, OTHER = IPv4Address("192.168.77.10"), IPv4Address("192.168.77.99")
FOUND: dict[str, dict[int, list[Facts]]] = {
    "made-v0-v17.pcap": {
        5: [(OWN, 0), (None, 49152)],
        11: [(OWN, 20480)],
        15: [(OWN, 20482), (OTHER, 20484)],
        17: [(OWN, 20482)],
    },
    "ndpi-call.pcap": {
        36: [(PHONE1, 32144)],
        46: [(PHONE2, 17718)],
        52: [(PHONE1, 32150)],
        53: [(PHONE1, 32152)],
        59: [(PHONE2, 17726)],
        60: [(PHONE1, 32144)],
        64: [(PHONE2, 17718)],
        81: [(PHONE2, 17732)],
    },
}


@pytest.mark.parametrize("name", FOUND)
def test_the_endpoints_of_a_capture_are_found_in_their_frames(name: str) -> None:
    read, _ = play(CAPTURES / name, Skinny, to_port(2000))
    assert {number: facts(places) for number, places in read.items()} == FOUND[name]
