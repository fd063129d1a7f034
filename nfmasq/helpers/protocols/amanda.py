"""Amanda over UDP (auth "bsd"): a backup client says at which ports the server can fetch its streams.

Source: Amanda 2.5 to 3.5, server and client. The server asks from its own port (10080/udp of the client). The
client's reply has a line "CONNECT DATA 50024 MESG 50025 INDEX 50026 STATE 50027". The server then opens a TCP
connection to each port. The words and their number differ from version to version.

Rewritten: these ports, where the backup client is inside and a forward leads to it. A client outside needs no
helper: the server inside opens the connections. Not rewritten: anything else in a packet. The other kinds of
authentication use one TCP connection, and need no helper.
"""

import re

from nfmasq.helpers.kit import endpoints
from nfmasq.helpers.kit.base import Dialogue, Found, NotActedOn, Reading, Session, Side

MOST_OF_A_BACKUP = 8
"""Streams of one reply; Amanda 3.5 has four."""

_REPLY = re.compile(
    rb"Amanda \d{1,3}\.\d{1,3} P?REP HANDLE [\w-]{1,64} SEQ \d{1,20}\nCONNECT((?: [A-Z]{1,16} \d{1,20})+)\n"
)
_STREAM = re.compile(rb" [A-Z]{1,16} (\d{1,20})")


class Amanda:
    """The helper. It has no options."""

    name = "amanda"
    transport = "udp"
    ports: tuple[int, ...] = (10080,)
    enabled_by_default = False
    about = "Amanda backups of clients inside: the ports of the streams (auth bsd)"

    examples_from_outside = (
        (Side.OUTSIDE, b"Amanda 3.5 REQ HANDLE 000-00000001 SEQ 17\nSERVICE sendbackup\n"),
        (
            Side.INSIDE,
            b"Amanda 3.5 REP HANDLE 000-00000001 SEQ 17\n"
            b"CONNECT DATA 50024 MESG 50025 INDEX 50026 STATE 50027\nOPTIONS features=ff;\n",
        ),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for the requests of one server."""
        return AmandaDialogue(session)


class AmandaDialogue:
    """The requests of one server. Stored: whether it was the server outside that began."""

    def __init__(self, session: Session) -> None:
        self._is_client_inside = not session.inside_began

    def read(self, side: Side, data: bytes) -> Reading:
        """The ports in a reply of the client."""
        if not self._is_client_inside:
            return Reading(len(data), leave=True)
        reply = _REPLY.match(data) if side is Side.INSIDE else None
        if reply is None:
            return Reading(len(data))
        streams = list(_STREAM.finditer(data, reply.start(1), reply.end(1)))
        if len(streams) > MOST_OF_A_BACKUP:
            return Reading(len(data), not_acted_on=["not_allowed"])
        found: list[Found] = []
        left_alone: list[str] = []
        for stream in streams:
            try:
                found.append(endpoints.port_alone(stream, 0))
            except NotActedOn as why:
                left_alone.append(str(why))
        return Reading(len(data), found, not_acted_on=left_alone)


HELPER = Amanda
