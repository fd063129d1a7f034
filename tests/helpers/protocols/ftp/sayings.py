"""What FTP clients and servers say, for the tests of the helper."""

from collections.abc import Sequence

from support.dialogues import IN, OUT, hear

from nfmasq.helpers.kit.base import Found, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.ftp import Ftp

Said = tuple[Side, bytes]

LOGIN: Sequence[Said] = (
    (OUT, b"220 ready\r\n"),
    (IN, b"USER ann\r\n"),
    (OUT, b"331 Password\r\n"),
    (IN, b"PASS secret\r\n"),
    (OUT, b"230 Logged in\r\n"),
)
FORWARDED_LOGIN = tuple((side.other, text) for side, text in LOGIN)


def client_says(*lines: bytes, helper: Ftp | None = None) -> Listener:
    """What an internal client says after its login, each line in a segment."""
    return hear(helper or Ftp(), [*LOGIN, *((IN, line) for line in lines)])


def server_says(command: bytes, *replies: bytes, helper: Ftp | None = None) -> Listener:
    """What an internal server answers to an external client's command."""
    said = [*FORWARDED_LOGIN, (OUT, command), *((IN, reply) for reply in replies)]
    return hear(helper or Ftp(), said, inside_began=False)


def announced(heard: Listener) -> list[tuple[str | None, int]]:
    """The endpoints that are acted on, not the addresses that are only hidden."""
    return [
        (None if what.address is None else str(what.address), what.port)
        for what in (place.what for place in heard.places)
        if isinstance(what, Found)
    ]


PORT = (IN, b"PORT 192,168,1,10,19,136\r\n")
