"""Real connections, frame by frame: what is found in each, and nothing else."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.captures import segments

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


def found(name: str) -> tuple[list[tuple[int, str, int]], list[Listener]]:
    """Frame, kind and port of each place in a capture; the dialogues of its connections."""
    listeners: dict[frozenset[Endpoint], Listener] = {}
    places: list[tuple[int, str, int]] = []
    for segment in segments(CAPTURES / f"{name}.pcap"):
        ends = segment.source, segment.destination
        if not SERVER_PORTS & {port for _, port in ends}:
            continue
        is_client = segment.destination[1] in SERVER_PORTS
        client: IPv4Address = ends[0 if is_client else 1][0]
        listener = listeners.setdefault(frozenset(ends), Listener(Rtsp(), True, client))
        before = len(listener.places)
        listener.hear(Side.INSIDE if is_client else Side.OUTSIDE, segment.payload)
        places += [
            (segment.frame, type(each.what).__name__, each.what.port)  # type: ignore[union-attr]
            for each in listener.places[before:]
        ]
    return places, list(listeners.values())


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found(name: str) -> None:
    places, listeners = found(name)
    assert places == FOUND[name]
    assert listeners
    assert all(not any(listener.waiting.values()) for listener in listeners)


def test_requests_in_many_segments() -> None:
    """The capture has each segment four times, and each request in several segments."""
    places, _ = found("ndpi-split-udp")
    assert [(kind, port) for _, kind, port in places][:6] == [
        ("Found", 55664), ("Mentioned", 55664), ("Mentioned", 55665),
        ("Found", 55666), ("Mentioned", 55666), ("Mentioned", 55667),
    ]  # fmt: skip
    assert [frame for frame, kind, _ in places[:6] if kind == "Found"] == SPLIT


SPLIT = [59, 72]


def test_rtsp_inside_http_is_left_alone() -> None:
    _, listeners = found("rec-gst-http-tunnel")
    assert all(listener.left for listener in listeners)
