"""PNA, RealAudio before RTSP: a player asks for sound by UDP, at ports that it names first of all.

Each side's stream begins with "PNA" and a version of two bytes. Options follow, numbers in network order: an
id, a length, a value. The id 0 ends them, and has neither length nor value. Option 1 is the port to which the
server sends sound, option 7 the one for what is sent again ("robust"). Port 0 names none. The server's own
option 7 is the port to which the player sends its requests for that.

Rewritten: the ports that the inside names. What the outside names stays. The bytes behind the options are
never read, so sound over the connection itself costs nothing. Of a side that begins otherwise no byte is.

Source: Progressive Networks' notes for firewalls, as Linux 2.2 and IPFilter read them. The helper rtsp reads
the newer protocol. Port 554 may carry both; one helper can read it.
"""

from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Found, Place, Reading, Session, Side

HEAD = 5
"""Bytes of "PNA" and the version."""
MAGIC = b"PNA\0"
"""With the first byte of a version below 256. No browser writes its NUL where a line of HTTP begins."""
END, SOUND, ROBUST = 0, 1, 7
MOST_OPTIONS = 64
"""Of one side; players write about ten."""


class Pna:
    """The helper. It has no options."""

    name = "pna"
    transport = "tcp"
    ports: tuple[int, ...] = (7070,)
    enabled_by_default = False
    about = "RealAudio (PNA): sound over UDP, before RTSP"

    examples = (
        (Side.INSIDE, b"PNA\0\x0a\0\x14\0\2\0\1\0\1\0\2\x1b\x3a\0\2\0\5Win16\0\7\0\2\x1b\x3c"),
        (Side.OUTSIDE, b"PNA\0\x0a\0\7\0\2\x1b\x3e\0\0"),
    )
    examples_from_outside = (
        (Side.OUTSIDE, b"PNA\0\x0a\0\1\0\2\x1b\x3a\0\7\0\2\x1b\x3c\0\0"),
        (Side.INSIDE, b"PNA\0\x0a\0\7\0\2\x1b\x3e"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a player's connection."""
        return PnaDialogue(session)


class PnaDialogue:
    """The inside's options.

    Stored: which ports it has not named yet, how many more options may come, and how many bytes of one are
    still to pass.
    """

    def __init__(self, session: Session) -> None:
        self._wanted = {SOUND, ROBUST} if session.inside_began else {ROBUST}
        self._has_begun = False
        self._options_left = MOST_OPTIONS
        self._passing = 0

    def read(self, side: Side, data: bytes) -> Reading:
        """The ports in the options of the inside; the helper leaves behind the last option."""
        if side is Side.OUTSIDE:
            return Reading(len(data))
        if not self._has_begun:
            if not MAGIC.startswith(data[: len(MAGIC)]):
                return Reading(len(data), leave=True)
            if len(data) < HEAD:
                return Reading(0)
            self._has_begun, self._passing = True, HEAD
        return self._options(data)

    def _options(self, data: bytes) -> Reading:
        found: list[Place] = []
        at = self._pass(data, 0)
        while at < len(data):
            option, size = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
            if len(data) - at >= 2 and (option == END or not self._options_left):
                return Reading(len(data), found, leave=True)
            is_port = option in self._wanted and size == 2
            if len(data) - at < (6 if is_port else 4):
                break
            if is_port and (port := int.from_bytes(data[at + 4 : at + 6])):
                self._wanted.remove(option)
                found.append(Found(at + 4, at + 6, None, port, _write, "udp", ends_with_control=True))
            self._options_left -= 1
            self._passing = 4 + size
            at = self._pass(data, at)
        return Reading(at, found)

    def _pass(self, data: bytes, at: int) -> int:
        """Where the option ends that is passing, or the data."""
        end = min(at + self._passing, len(data))
        self._passing -= end - at
        return end


def _write(_address: IPv4Address, port: int) -> bytes:
    return port.to_bytes(2)


HELPER = Pna
