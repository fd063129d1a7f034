"""Real connections, frame by frame: what is found in each, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.captures import TCP, Frame, frames

from nfmasq.helpers.kit.base import Endpoint, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.rtsp import Rtsp

CAPTURES = Path(__file__).parent / "captures"

FOUND = {
    "ipfixprobe-describe-error": [],
    "rec-ffmpeg-interleaved": [],
    "rec-gst-http-tunnel": [],
    "rec-ffmpeg-udp": [
        (10, "Found", 15894), (11, "Mentioned", 15894), (11, "Mentioned", 15895),
        (12, "Found", 15896), (13, "Mentioned", 15896), (13, "Mentioned", 15897),
    ],
    "rec-record-and-play": [
        (24, "Found", 32830), (27, "Mentioned", 32830), (27, "Mentioned", 32831),
        (81, "Found", 12452), (84, "Mentioned", 12452), (84, "Mentioned", 12453),
    ],
}  # fmt: skip
SERVER_PORTS = {554, 5545, 8554}


def segments(name: str) -> Iterator[Frame]:
    """The segments of a capture's RTSP connections: each byte of a stream once."""
    expected: dict[tuple[object, ...], int] = {}
    for frame in frames(CAPTURES / f"{name}.pcap"):
        if frame.protocol != TCP or not SERVER_PORTS & {frame.source_port, frame.destination_port}:
            continue
        way = frame[2:6]
        known = (expected.get(way, frame.sequence) - frame.sequence) % (1 << 32)
        new = frame.payload[known:] if known < 1 << 31 else frame.payload
        if new:
            expected[way] = frame.sequence + len(frame.payload)
            yield frame._replace(payload=new)


def found(name: str) -> tuple[list[tuple[int, str, int]], list[Listener]]:
    """Frame, kind and port of each place in a capture; the dialogues of its connections."""
    listeners: dict[Endpoint, Listener] = {}
    places: list[tuple[int, str, int]] = []
    for frame in segments(name):
        near = (frame.source, frame.source_port), (frame.destination, frame.destination_port)
        is_client = frame.destination_port in SERVER_PORTS
        client = near[0 if is_client else 1]
        listener = listeners.setdefault(client, Listener(Rtsp(), True, client[0]))
        before = len(listener.places)
        listener.hear(Side.INSIDE if is_client else Side.OUTSIDE, frame.payload)
        places += [
            (frame.number, type(each.what).__name__, each.what.port)  # type: ignore[union-attr]
            for each in listener.places[before:]
        ]
    return places, list(listeners.values())


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found(name: str) -> None:
    places, listeners = found(name)
    assert places == FOUND[name]
    assert listeners
    assert all(not any(listener.waiting.values()) for listener in listeners)


def test_segments_that_come_four_times() -> None:
    """The capture has each segment four times; only the first one is new."""
    places, _ = found("ndpi-split-udp")
    assert [(kind, port) for _, kind, port in places][:6] == [
        ("Found", 55664), ("Mentioned", 55664), ("Mentioned", 55665),
        ("Found", 55666), ("Mentioned", 55666), ("Mentioned", 55667),
    ]  # fmt: skip
    assert [frame for frame, kind, _ in places[:6] if kind == "Found"] == [57, 69]


def test_rtsp_inside_http_is_left_alone() -> None:
    _, listeners = found("rec-gst-http-tunnel")
    assert all(listener.left for listener in listeners)
