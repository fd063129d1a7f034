"""VDOlive: a player asks for video by UDP, at a port that its first two messages name.

A message of the player begins with a length and a tag, 32 bits each in network order. The first one has tag
6, and "VDO Live" at byte 24; the second one has tag 1, and "VDO Live" at byte 8. The 32 bits behind that name
are the port. Both messages name the same one.

Rewritten: the port, in both messages alike. The server's messages are not read, and neither are the player's
later ones. Lengths are not used, because no source says what they count. A player whose first message has
another tag is left alone.

A player outside needs no helper: the video of a forwarded server begins sessions of its own.

Source: VDOnet's description, as Linux 2.2 reads it.
"""

import re
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Found, Place, Reading, Session, Side

FIRST_TAG = b"\0\0\0\6"
MESSAGES = 2
"""Those that name the port."""
MOST_READ = 4096
"""Bytes of the player among which they are searched."""
CONTEXT = 27
"""Bytes that have passed, and may be the beginning of a name with its tag."""
_NAME = re.compile(rb"\0\0\0\x06.{16}VDO Live|\0\0\0\x01VDO Live", re.DOTALL)


class Vdolive:
    """The helper. It has no options."""

    name = "vdolive"
    transport = "tcp"
    ports: tuple[int, ...] = (7000,)
    enabled_by_default = False
    about = "VDOlive: video over UDP"

    examples = (
        (Side.INSIDE, b"\0\0\0\x38" + FIRST_TAG + bytes(16) + b"VDO Live\0\0\x1b\x59" + bytes(20)),
        (Side.OUTSIDE, b"\0\0\0\x0c\0\0\0\2okok"),
        (Side.INSIDE, b"\0\0\0\x20\0\0\0\1VDO Live\0\0\x1b\x59" + bytes(12)),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a player's connection."""
        return VdoliveDialogue(session)


class VdoliveDialogue:
    """The first messages of a player.

    Stored: the last bytes that have passed, how many bytes and messages are still read, and the port.
    """

    def __init__(self, session: Session) -> None:
        self._before = b""
        self._has_begun = False
        self._bytes_left = MOST_READ if session.inside_began else 0
        self._messages_left = MESSAGES
        self._port: int | None = None

    def read(self, side: Side, data: bytes) -> Reading:
        """The ports in what a player inside says; only a port's own bytes wait."""
        if side is Side.OUTSIDE or self._bytes_left <= 0 or not self._messages_left:
            return Reading(len(data))
        text = self._before + data
        if not self._has_begun and not FIRST_TAG.startswith(text[4:8]):
            return Reading(len(data), leave=True)
        self._has_begun = self._has_begun or len(text) >= 8
        return self._names(text, len(self._before))

    def _names(self, text: bytes, skipped: int) -> Reading:
        """The ports behind the names in a text, whose first bytes have passed."""
        found: list[Place] = []
        left_alone: list[str] = []
        end = 0
        for match in _NAME.finditer(text):
            end = match.end()
            if len(text) < end + 4:
                self._before = match[0]
                return Reading(end - skipped, found, not_acted_on=left_alone)
            port = int.from_bytes(text[end : end + 4])
            if port > 0xFFFF:
                left_alone.append("malformed")
            else:
                found.append(self._found(end - skipped, port))
            self._messages_left -= 1
            if not self._messages_left:
                break
        self._before = text[max(end, len(text) - CONTEXT) :]
        self._bytes_left -= len(text) - skipped
        return Reading(len(text) - skipped, found, not_acted_on=left_alone)

    def _found(self, at: int, port: int) -> Found:
        is_again = port == self._port
        self._port = port
        return Found(at, at + 4, None, port, _write, "udp", reuse=is_again, ends_with_control=True)


def _write(_address: IPv4Address, port: int) -> bytes:
    return port.to_bytes(4)


HELPER = Vdolive
