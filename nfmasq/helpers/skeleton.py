"""A helper to copy, of a protocol nobody speaks. How to go on from it: docs/writing-a-helper.md.

A client greets with "HELLO meet", the server with "WELCOME". The line "MEET 192.168.1.10 5000" says where its
speaker waits for a TCP connection from the other end. This is all a helper does: find such places, and say how
another endpoint is written there.
"""

import re
from ipaddress import AddressValueError, IPv4Address

from nfmasq.helpers.base import Dialogue, Found, Reading, Session, Side
from nfmasq.helpers.lines import Speech

_MEET = re.compile(rb"MEET (\d{1,3}(?:\.\d{1,3}){3}) (\d{1,5})\r?\n")
_GREETINGS = {Side.INSIDE: b"HELLO meet", Side.OUTSIDE: b"WELCOME"}


class Meet:
    """The helper. A keyword of `__init__` would be a key of [helpers.meet]."""

    name = "meet"
    transport = "tcp"
    ports = (7300,)
    enabled_by_default = False
    about = "A made-up protocol, to copy"

    examples = (
        (Side.INSIDE, b"HELLO meet\r\n"),
        (Side.OUTSIDE, b"WELCOME\r\n"),
        (Side.INSIDE, b"MEET 192.168.1.10 5000\r\nBYE\r\n"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a session that begins."""
        return _Meeting()


class _Meeting:
    """One session. What it remembers of each side: the line that has begun, and whether it has greeted."""

    def __init__(self) -> None:
        self._speech = {side: Speech(longest=512) for side in Side}
        self._greeted: set[Side] = set()

    def read(self, side: Side, data: bytes) -> Reading:
        """Read whole lines; of one that has begun only what follows MEET is held back."""
        speech, found = self._speech[side], []
        lines, begun = speech.cut(data)
        for at, line in lines:
            if side not in self._greeted and line.rstrip(b"\r\n") != _GREETINGS[side]:
                return Reading(len(data), found, leave=True)  # it only uses the port: never look again
            self._greeted.add(side)
            if (one := _find(at, line)) is not None:
                found.append(one)
        if speech.overrun:
            return Reading(len(data), found, leave=True)
        return Reading(speech.take(data, begun, _hold_from), found)


def _find(at: int, line: bytes) -> Found | None:
    match = _MEET.fullmatch(line)
    if match is None or int(match[2]) > 65535:
        return None
    try:
        address = IPv4Address(match[1].decode())
    except AddressValueError:
        return None
    return Found(at + match.start(1), at + match.end(2), address, int(match[2]), _write)


def _write(address: IPv4Address, port: int) -> bytes:
    return b"%s %d" % (str(address).encode(), port)


def _hold_from(line: bytes) -> int:
    return min(5, len(line)) if line.startswith(b"MEET ") else len(line)
