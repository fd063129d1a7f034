"""IRC (RFC 1459, 2812, IRCv3 message tags): the endpoints that DCC offers, resumes and accepts name."""

from nfmasq.helpers.kit.base import Dialogue, Session, Side
from nfmasq.helpers.protocols.irc.dialogue import IrcDialogue


class Irc:
    """The helper. It has no options."""

    name = "irc"
    transport = "tcp"
    ports: tuple[int, ...] = (6667,)
    enabled_by_default = False
    about = "Internet Relay Chat: DCC SEND, CHAT, RESUME and their kind"

    examples = (
        (Side.INSIDE, b"CAP LS 302\r\nNICK ann\r\nUSER ann 0 * :Ann\r\n"),
        (Side.OUTSIDE, b":irc.example NOTICE * :*** Looking up\r\n:irc.example 001 ann :Welcome\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC SEND file.txt 3232235786 5000 1234\x01\r\n"),
        (Side.OUTSIDE, b":bob!b@host PRIVMSG ann :\x01DCC RESUME file.txt 5000 100\x01\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC ACCEPT file.txt 5000 100\x01\r\n"),
        (Side.INSIDE, b'@label=1 PRIVMSG bob :\x01DCC SEND "a b" 3232235786 5001 9 77\x01\r\n'),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC CHAT chat 3232235786 5002\x01\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC SEND passive.txt 3232235786 0 9 78\x01\r\n"),
        (Side.INSIDE, b"NOTICE bob :DCC Send dotted.txt (192.168.1.10)\r\n"),
        (Side.INSIDE, b"PRIVMSG bob :\x01DCC SEND dotted.txt 192.168.1.10 5003 9\x01\r\n"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a connection to a server that begins."""
        return IrcDialogue(session)


HELPER = Irc
