"""What IRC clients and servers say, for the tests of the helper."""

from collections.abc import Sequence

from support.dialogues import CLIENT, IN, OUT, hear

from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.irc import Irc

Said = tuple[Side, bytes]

ADDRESS = b"%d" % int(CLIENT)
LOGIN: Sequence[Said] = (
    (IN, b"NICK ann\r\nUSER ann 0 * :Ann\r\n"),
    (OUT, b":irc.example NOTICE * :*** Looking up\r\n:irc.example 001 ann :Welcome\r\n"),
)


def dcc(*words: bytes) -> bytes:
    """A CTCP message."""
    return b"\x01DCC " + b" ".join(words) + b"\x01"


def client_says(*lines: bytes) -> Listener:
    """What a client says after its login, each line in a segment."""
    return hear(Irc(), [*LOGIN, *((IN, line) for line in lines)])


OFFER = (IN, b"PRIVMSG bob :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n")
