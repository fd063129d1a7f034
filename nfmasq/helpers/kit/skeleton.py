"""A helper to copy, of a protocol nobody speaks. How to go on from it: docs/writing-a-helper.md.

Both sides greet with a line "HELLO". The line "MEET 192.168.1.10 5000" says where its speaker waits for a TCP
connection from the other end. That is all a helper does: find such places, and say how another endpoint is
written there.
"""

import re
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Found, Reading, Session, Side
from nfmasq.helpers.kit.lines import Speech

_MEET = re.compile(rb"MEET (\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}) (\d{1,5})\r?\n")


class Meet:
    """The helper. A keyword of `__init__` would be a key of [helpers.meet]."""

    name = "meet"
    transport = "tcp"
    ports: tuple[int, ...] = (7300,)
    enabled_by_default = False
    about = "A made-up protocol, to copy"

    examples = (
        (Side.INSIDE, b"HELLO\r\n"),
        (Side.OUTSIDE, b"HELLO\r\n"),
        (Side.INSIDE, b"MEET 192.168.1.10 5000\r\nBYE\r\n"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a session that begins."""
        return Meeting()


class Meeting:
    """One session. What it remembers of each side: the line that has begun, and whether it has greeted."""

    def __init__(self) -> None:
        self._speech = {side: Speech(longest=512) for side in Side}
        self._greeted: set[Side] = set()

    def read(self, side: Side, data: bytes) -> Reading:
        """Read whole lines; of one that has begun only what follows MEET is held back."""
        speech, found = self._speech[side], list[Found]()
        lines, begun = speech.cut(data)
        for at, line in lines:
            if side not in self._greeted and line.rstrip() != b"HELLO":
                return Reading(len(data), leave=True)  # it only uses the port: never look again
            self._greeted.add(side)
            found += _endpoints(at, line)
        if speech.overrun:
            return Reading(len(data), found, leave=True)
        return Reading(speech.take(data, begun, _hold_from), found)


def _hold_from(line: bytes) -> int:
    return min(5, len(line)) if line.startswith(b"MEET ") else len(line)


def _endpoints(at: int, line: bytes) -> list[Found]:
    match = _MEET.fullmatch(line)
    if match is None:
        return []
    octets, port = [int(octet) for octet in match[1].split(b".")], int(match[2])
    if max(octets) > 255 or port > 65535:
        return []
    return [Found(at + match.start(1), at + match.end(2), IPv4Address(bytes(octets)), port, _write)]


def _write(address: IPv4Address, port: int) -> bytes:
    return b"%s %d" % (str(address).encode(), port)
