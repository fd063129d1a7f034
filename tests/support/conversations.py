"""The conversations of a capture, read by a helper: what it finds in which frame.

Frames of a connection are heard in their order; what was captured twice is heard once. A conversation whose
first frame was sent by `inside` was begun by it, except where the helper's ports say otherwise.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from nfmasq.helpers.kit.base import Helper, Side, Size, transports_of
from nfmasq.helpers.kit.listener import Listener
from support.captures import TCP, UDP, Frame, frames

Found = tuple[int, str, str, int]
"""The frame, the kind of the place, the address in it ("": none) and the port."""


@dataclass
class Conversations:
    """places: what was found, without sizes. left_alone: reasons by frame. left: conversations that ended."""

    places: list[Found]
    left_alone: list[tuple[int, str]]
    left: int
    heard: int


def heard(helper: Helper, path: Path, inside: IPv4Address | None, *, server_inside: bool) -> Conversations:
    """Read all conversations to a port of the helper. inside: a host of theirs; None: whoever it must be."""
    listeners: dict[Any, tuple[Listener, dict[Side, int]]] = {}
    result = Conversations([], [], 0, 0)
    for frame in frames(path):
        transport = {TCP: "tcp", UDP: "udp"}.get(frame.protocol)
        if transport not in transports_of(helper) or not frame.payload:
            continue
        is_to_server = frame.destination_port in helper.ports
        if not is_to_server and frame.source_port not in helper.ports:
            continue
        side = Side.OUTSIDE if is_to_server == server_inside else Side.INSIDE
        if inside is not None and frame.destination_port == frame.source_port:
            side = Side.INSIDE if frame.source == inside else Side.OUTSIDE
        near, far = _ends(frame, side)
        if inside is not None and near[0] != inside:
            continue
        if (transport, near, far) not in listeners:
            listener = Listener(helper, not server_inside, near[0], transport, port=near[1])
            listeners[transport, near, far] = listener, {}
        listener, ends = listeners[transport, near, far]
        if frame.protocol == TCP:
            if frame.sequence != ends.get(side, frame.sequence):
                continue
            ends[side] = (frame.sequence + len(frame.payload)) % (1 << 32)
        places, reasons = len(listener.places), len(listener.not_acted_on)
        listener.hear(side, frame.payload)
        result.heard += 1
        for each in listener.places[places:]:
            if not isinstance(each.what, Size):
                address = "" if each.what.address is None else str(each.what.address)
                result.places.append((frame.number, type(each.what).__name__, address, each.what.port))
        result.left_alone += [(frame.number, reason) for reason in listener.not_acted_on[reasons:]]
    result.left = sum(listener.left for listener, _ in listeners.values())
    return result


def _ends(frame: Frame, side: Side) -> tuple[tuple[IPv4Address, int], tuple[IPv4Address, int]]:
    source = frame.source, frame.source_port
    destination = frame.destination, frame.destination_port
    return (source, destination) if side is Side.INSIDE else (destination, source)
