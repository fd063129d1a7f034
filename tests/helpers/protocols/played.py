"""Captures played to a helper: a listener hears each session of a file, frame by frame."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from pathlib import Path

from support.captures import TCP, UDP, Frame, frames

from nfmasq.helpers.kit.base import Helper, Place, Side, transports_of
from nfmasq.helpers.kit.listener import Listener

PROTOCOLS = {TCP: "tcp", UDP: "udp"}
Found = Mapping[int, list[Place]]
"""What was found, by frame."""


def to_port(port: int) -> Callable[[Frame], bool]:
    """Is a frame the inside's? Where the inside calls this port."""
    return lambda frame: frame.destination_port == port


def play(
    path: Path, kind: Callable[[], Helper], is_inside: Callable[[Frame], bool]
) -> tuple[Found, list[Listener]]:
    """What a helper finds in each frame, and the listeners of all sessions."""
    ears: dict[frozenset[tuple[IPv4Address, int]], Listener] = {}
    seen, found = set(), dict[int, list[Place]]()
    helper = kind()
    for frame in frames(path):
        ends = (frame.source, frame.source_port), (frame.destination, frame.destination_port)
        is_known = frame.protocol == TCP and (ends, frame.sequence) in seen
        if PROTOCOLS.get(frame.protocol) not in transports_of(helper) or not frame.payload or is_known:
            continue
        seen.add((ends, frame.sequence))
        inside = is_inside(frame)
        near = ends[0] if inside else ends[1]
        ear = ears.setdefault(
            frozenset(ends), Listener(helper, True, near[0], PROTOCOLS[frame.protocol], port=near[1])
        )
        known = len(ear.places)
        ear.hear(Side.INSIDE if inside else Side.OUTSIDE, frame.payload)
        if new := [each.what for each in ear.places[known:]]:
            found[frame.number] = new
    return found, list(ears.values())
