"""rsh (rcmd): the client says at which port it takes the errors of the remote command.

Source: rcmd(3) of 4.2BSD and netkit. The client's first bytes are that port in decimal and a NUL; no digits,
or 0, mean no second connection. The server connects to the port from one of its own below 1024. It requires
that the client's ports are 512 to 1023, both of them. So a client that has such a port gets such an external
one (`nat.low_ports`), and so does the port that it announces.

Rewritten: that port, where the client is inside. A server inside needs no helper. Its own connection to the
client is translated like any other, and its port below 1024 becomes such a port again.
"""

import re
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Found, NotActedOn, Reading, Session, Side
from nfmasq.helpers.kit.numbers import port_number

_DIGITS = 5
_BEGUN = re.compile(rb"[0-9]{0,5}")


class Rsh:
    """The helper. It has no options."""

    name = "rsh"
    transport = "tcp"
    ports: tuple[int, ...] = (514,)
    enabled_by_default = False
    about = "Remote shell: the connection for the errors of a command"

    examples = ((Side.INSIDE, b"1022\0"),)

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for one command."""
        return RshDialogue(session)


class RshDialogue:
    """One command. Stored: whether the port was read; nothing behind it is of interest."""

    def __init__(self, session: Session) -> None:
        self._is_done = not session.inside_began

    def read(self, side: Side, data: bytes) -> Reading:
        """The port that the client begins with."""
        if self._is_done or side is Side.OUTSIDE:
            return Reading(len(data), leave=self._is_done)
        end = data.find(b"\0", 0, _DIGITS + 1)
        if end < 0 and len(data) <= _DIGITS and _BEGUN.fullmatch(data):
            return Reading(0)
        if end < 0 or not _BEGUN.fullmatch(data, 0, end):
            return Reading(len(data), leave=True)
        self._is_done = True
        try:
            port = port_number(data[:end]) if end else 0
        except NotActedOn as why:
            return Reading(len(data), not_acted_on=[str(why)])
        if port == 0:
            return Reading(len(data))
        return Reading(len(data), [Found(0, end, None, port, _write, privileged=True)])


def _write(_address: IPv4Address, port: int) -> bytes:
    return b"%d" % port


HELPER = Rsh
