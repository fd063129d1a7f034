"""What is found in real captures, frame by frame, and that nothing else is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

import pytest
from support.captures import TCP, Frame, frames

from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener, Place
from nfmasq.helpers.protocols.sip import Sip

CAPTURES = Path(__file__).parent / "captures"
BARESIP = IPv4Address("192.168.77.10")
ZEEK = IPv4Address("192.168.1.2")

Mode = Literal["media", "full"]
Texts = dict[str, list[int]]


@dataclass(frozen=True)
class Capture:
    """A file, the phone in it, and for each text that is found the frames it is found in.

    media: in both modes. full: in mode "full", in the other frames and, with what is in front of it, in those
    of media. held: seconds. left_alone: reasons.
    """

    name: str
    address: IPv4Address
    port: int
    media: Texts = field(default_factory=dict)
    full: Texts = field(default_factory=dict)
    held: dict[int, list[int]] = field(default_factory=dict)
    left_alone: Texts = field(default_factory=dict)


SIPP = {
    "media": "137 192.168.77.10 6000",
    "full": "192.168.77.10:5066 192.168.77.10:5066",
    "back": "192.168.77.10:5066",
}
BY_NAME = {
    each.name: each
    for each in (
        Capture("ndpi-http-on-sip-port.pcap", IPv4Address("82.178.111.221"), 5060),
        Capture("ndpi-sip-hello.pcapng", IPv4Address("172.29.38.91"), 5060, held={632: [12, 28]}),
        Capture("rec-baresip-ice-tcp.pcap", BARESIP, 33240, held={92: [6], 1: [69]}),
        Capture(
            "rec-baresip-kamailio-udp.pcap", BARESIP, 5060,
            media={"347 192.168.77.10 10002": [2]},
            full={
                "192.168.77.10:5060": [1, 45],
                "192.168.77.10:5060 347 192.168.77.10 10002": [2],
                "5060 192.168.77.10": [3, 46],
                "5060 192.168.77.10 192.168.77.10:5060": [4],
                "192.168.77.10 5060": [6, 7, 47],
            },
            held={92: [4], 1: [46]},
        ),
        Capture(
            "rec-sipp-tcp.pcap", BARESIP, 5066,
            media={SIPP["media"]: [4, 16]},
            full={
                f"{SIPP['full']} {SIPP['media']}": [4, 16],
                SIPP["full"]: [10, 12, 21, 23],
                SIPP["back"]: [6, 8, 14, 17, 19, 25],
            },
        ),
        Capture(
            "rec-sipp-udp.pcap", BARESIP, 5066,
            media={SIPP["media"]: [1, 7]},
            full={
                f"{SIPP['full']} {SIPP['media']}": [1, 7],
                SIPP["full"]: [4, 5, 10, 11],
                SIPP["back"]: [2, 3, 6, 8, 9, 12],
            },
        ),
        Capture("suri-compact-form.pcap", IPv4Address("1.1.1.1"), 5555),
        Capture("suri-multi-value.pcap", IPv4Address("1.1.1.1"), 5555),
        Capture(
            "suri-options.pcap", IPv4Address("192.168.1.10"), 5060,
            full={"192.168.1.10:5060 192.168.1.10:5060": [1], "192.168.1.10:5060": [2]},
        ),
        Capture("suri-sdp.pcap", IPv4Address("1.1.1.1"), 5555),
        Capture("suri-tcp-method.pcap", IPv4Address("127.0.0.1"), 58882, held={632: [8]}),
        Capture("suri-tcp-pattern.pcap", IPv4Address("1.1.1.1"), 5555),
        Capture(
            "zeek-invalid-content-length.pcap", IPv4Address("10.0.0.1"), 5060,
            left_alone={"malformed": [1, 2]},
        ),
        Capture(
            "zeek-junk-before-request.pcap", IPv4Address("1.1.1.1"), 31000, left_alone={"malformed": [2]}
        ),
        Capture("zeek-long-paths.pcap", IPv4Address("192.0.2.10"), 50600),
        Capture(
            "zeek-two-calls.pcap", ZEEK, 5060,
            media={
                "272 192.168.1.2 30000": [19, 20, 21],
                "270 192.168.1.2 30000": [37, 38, 39, 42, 60, 65, 69, 72],
            },
            full={
                "192.168.1.2:5060": [
                    1, 3, 6, 8, 10, 12, 14, 16, 18, 45, 47, 49, 51, 53, 55, 57, 58, 63, 77, 79, 81,
                ],
                "272 192.168.1.2 192.168.1.2 30000": [19, 20, 21],
                "270 192.168.1.2 192.168.1.2 30000": [37, 38, 39, 42, 60, 65, 69, 72],
            },
            held={1232: [18, 57, 81]},
        ),
    )
}  # fmt: skip
"""A phone whose messages name another address than its own traverses NATs by itself (suri-, ndpi-sip-hello).

So does one with ICE (rec-baresip-ice-tcp), and one whose contact is another port than it sends from.
"""


def heard(
    capture: Capture, mode: Mode, what: Callable[[Listener, list[Place], bytes], object]
) -> dict[int, object]:
    """What each frame brings. what: of a listener, its new places, and all bytes of that side."""
    listeners: dict[object, Listener] = {}
    said: dict[object, bytes] = {}
    found: dict[int, object] = {}
    for frame, side, remote in between(capture):
        transport = "tcp" if frame.protocol == TCP else "udp"
        if remote not in listeners:
            listeners[remote] = Listener(Sip(mode=mode), True, capture.address, transport, port=capture.port)
        listener = listeners[remote]
        said[remote, side] = said.get((remote, side), b"") + frame.payload
        before, listener.hold_s, listener.not_acted_on = len(listener.places), 0, []
        listener.hear(side, frame.payload)
        if brought := what(listener, listener.places[before:], said[remote, side]):
            found[frame.number] = brought
    return found


def between(capture: Capture) -> list[tuple[Frame, Side, object]]:
    """The frames that the phone sends and gets, with the side that speaks, and the other end."""
    made: list[tuple[Frame, Side, object]] = []
    phone = capture.address, capture.port
    for frame in frames(CAPTURES / capture.name):
        source, destination = (frame.source, frame.source_port), (frame.destination, frame.destination_port)
        if frame.payload and source == phone:
            made.append((frame, Side.INSIDE, destination))
        elif frame.payload and destination == phone:
            made.append((frame, Side.OUTSIDE, source))
    return made


def texts(_: Listener, places: list[Place], said: bytes) -> str:
    """The texts that are found."""
    return " ".join(said[each.start : each.end].decode() for each in places)


def by_frame(wanted: Mapping[Any, list[int]]) -> dict[int, Any]:
    """For each frame what is wanted."""
    return {number: text for text, numbers in wanted.items() for number in numbers}


ALL = pytest.mark.parametrize("name", BY_NAME)


def test_every_capture_is_read() -> None:
    assert {path.name for path in CAPTURES.glob("*.pcap*")} == set(BY_NAME)
    assert all(between(capture) for capture in BY_NAME.values())


@ALL
def test_the_media_are_found(name: str) -> None:
    capture = BY_NAME[name]
    assert heard(capture, "media", texts) == by_frame(capture.media)


@ALL
def test_in_mode_full_the_phone_s_own_endpoint_is_found_too(name: str) -> None:
    capture = BY_NAME[name]
    assert heard(capture, "full", texts) == by_frame(capture.full)


@ALL
@pytest.mark.parametrize("mode", ["media", "full"])
def test_registrations_are_held_as_the_registrar_says(name: str, mode: Mode) -> None:
    capture = BY_NAME[name]
    assert heard(capture, mode, lambda listener, *_: listener.hold_s) == by_frame(capture.held)


@ALL
def test_what_is_malformed_is_counted(name: str) -> None:
    capture = BY_NAME[name]
    found = heard(capture, "full", lambda listener, *_: " ".join(listener.not_acted_on))
    assert found == by_frame(capture.left_alone)


def test_http_on_the_port_is_left() -> None:
    capture = BY_NAME["ndpi-http-on-sip-port.pcap"]
    assert set(heard(capture, "full", lambda listener, *_: listener.left)) == {3, 4}
