"""A helper to copy, of a protocol nobody speaks. How to go on from it: docs/writing-a-helper.md.

Both sides greet with a line "HELLO". The line "MEET 192.168.1.10 5000" says where its speaker waits for a TCP
connection from the other end. A helper finds such places, and says how another endpoint is written there.
"""

import re
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Found, Place, Session, Side
from nfmasq.helpers.kit.dialogue import Leave, LineDialogue
from nfmasq.helpers.kit.numbers import dotted, port_number

_MEET = re.compile(rb"MEET (\d+\.\d+\.\d+\.\d+) (\d+)\r?\n")


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
        return MeetDialogue()


class MeetDialogue(LineDialogue):
    """One session. Stored: which sides have greeted."""

    def __init__(self) -> None:
        super().__init__(longest=512)
        self._greeted: set[Side] = set()

    def hear(self, side: Side, at: int, line: bytes) -> list[Place]:
        """The endpoint in a line that says MEET."""
        if side not in self._greeted and line.rstrip() != b"HELLO":
            raise Leave  # it only uses the port: never look again
        self._greeted.add(side)
        match = _MEET.fullmatch(line)
        if match is None:
            return []
        address, port = dotted(match[1]), port_number(match[2])
        return [Found(at + match.start(1), at + match.end(2), address, port, _write)]

    def wait_from(self, side: Side, line: bytes) -> int:
        """Of a line that has begun, only the bytes behind MEET wait."""
        return min(5, len(line)) if line.startswith(b"MEET ") else len(line)


def _write(address: IPv4Address, port: int) -> bytes:
    return b"%s %d" % (str(address).encode(), port)
