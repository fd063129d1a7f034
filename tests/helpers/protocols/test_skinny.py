"""What a phone says of itself in each message, in both layouts, and what is no such message."""

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from helpers.protocols.played import play, to_port
from nfmasq.helpers.kit.base import Admitted, Found, Named, Place, Side
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, REMOTE, Listener
from nfmasq.helpers.kit.rewriting import rewritten
from nfmasq.helpers.protocols.skinny import LONGEST_READ, MOST_STREAMS_OF_A_PHONE, Skinny

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
            assert (each.transport, each.consecutive, each.ends_with_control) == ("udp", 2, False)
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


FAR = IPv4Address("198.51.100.20")


def started(party: int, host: IPv4Address, version: int) -> bytes:
    """The call manager names the far end of a stream."""
    return said(0x8A, numbers(1, party) + written(host, version) + numbers(30000), version)


def closed(party: int) -> bytes:
    """The call manager closes a stream."""
    return said(0x106, numbers(1, party, 9))


def of(party: int, version: int, port: int = 20480) -> bytes:
    """A phone says where it hears a stream."""
    return said(0x22, numbers(0) + written(INTERNAL, version) + numbers(port, party), version)


@pytest.mark.parametrize("version", [OLD, NEW])
def test_whom_the_call_manager_names_for_a_stream_may_come_to_its_ports(version: int) -> None:
    listener = heard(of(7, version))
    (place,) = listener.places
    assert isinstance(place.what, Found)
    assert place.what.anyone
    listener.hear(OUTSIDE, started(8, REMOTE, version) + started(7, FAR, version))
    assert {(each.port, each.remote) for each in listener.admitted} >= {(20480, FAR), (20481, FAR)}
    assert all(each.port in {20480, 20481} for each in listener.admitted)


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("message", [0x22, 0x31, 0x154, 0x155, 0x45])
def test_a_host_that_is_named_before_comes_alone(message: int, version: int) -> None:
    before = {0x22: (0,), 0x31: (0,), 0x45: (1, 2, 7)}.get(message, (1, 7, 3))
    behind = 7 if message in {0x22, 0x31} else 99
    text = said(message, numbers(*before) + written(INTERNAL, version) + numbers(20480, behind), version)
    listener = Listener(Skinny(), True).hear_all([(OUTSIDE, started(7, FAR, version)), (INSIDE, text)])
    (place,) = listener.places
    assert isinstance(place.what, Found)
    assert not place.what.anyone
    assert listener.admitted == [Admitted("udp", 20480, FAR), Admitted("udp", 20481, FAR)]


@pytest.mark.parametrize(
    "text",
    [
        started(7, IPv4Address("0.0.0.0"), OLD),
        said(0x8A, numbers(1, 7, 1) + bytes(16) + numbers(30000), NEW),
        started(7, FAR, OLD)[:23],
        started(7, FAR, NEW)[:27],
        said(0x8A, b""),
        said(0x105, numbers(1, 7) + FAR.packed),
    ],
)
def test_what_names_no_host_lets_nobody_in(text: bytes) -> None:
    text = struct.pack("<I", len(text) - 8) + text[4:]
    listener = heard(of(7, OLD))
    listener.hear(OUTSIDE, text + started(8, FAR, OLD))
    assert (listener.admitted, listener.left) == ([], False)


def test_a_stream_that_is_closed_ends_what_it_announced() -> None:
    listener = heard(of(7, OLD), of(8, NEW, 20490))
    listener.hear(OUTSIDE, closed(7) + closed(9) + closed(7))
    assert listener.ended == [("udp", 20480), ("udp", 20481)]
    listener.hear(OUTSIDE, started(7, FAR, OLD))
    assert listener.admitted == []


def test_the_streams_that_are_remembered_are_bounded() -> None:
    listener = heard()
    for party in range(3 * MOST_STREAMS_OF_A_PHONE):
        listener.hear(INSIDE, of(party, OLD, 20480 + 2 * party))
        listener.hear(OUTSIDE, started(party + 1000, FAR, OLD))
    assert len(listener._dialogue._streams) == MOST_STREAMS_OF_A_PHONE


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
