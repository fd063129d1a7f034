"""FTP (RFC 959, 2228, 2428): PORT and EPRT of an internal client, 227 and 229 of an internal server."""

from nfmasq.helpers.kit.base import Dialogue, Session, Side
from nfmasq.helpers.protocols.ftp.dialogue import FtpDialogue


class Ftp:
    """The helper. fxp: a transfer between two servers is allowed.

    That is, 227 and PORT may name a third host without counting as forged. Any host may open the connection
    that an internal server announced. No session of a third host is expected because an address names it.
    """

    name = "ftp"
    transport = "tcp"
    ports: tuple[int, ...] = (21,)
    enabled_by_default = True
    about = "File transfer: PORT, EPRT, PASV and EPSV"

    examples = (
        (Side.OUTSIDE, b"220-Welcome\r\n220 FTP server ready\r\n"),
        (Side.INSIDE, b"USER anonymous\r\n"),
        (Side.OUTSIDE, b"331 Any password will do\r\n"),
        (Side.INSIDE, b"PASS me@\r\n"),
        (Side.OUTSIDE, b"230 Logged in\r\n"),
        (Side.INSIDE, b"PORT 192,168,1,10,19,136\r\nLIST\r\n"),
        (Side.OUTSIDE, b"200 PORT is fine\r\n150 Here it comes\r\n226 Done\r\n"),
        (Side.INSIDE, b"EPRT |1|192.168.1.10|5001|\r\nRETR file\r\n"),
        (Side.OUTSIDE, b"200 EPRT is fine\r\n150 Here it comes\r\n226 Done\r\n"),
    )
    examples_from_outside = (
        (Side.INSIDE, b"220 FTP server ready\r\n"),
        (Side.OUTSIDE, b"USER anonymous\r\nPASS me@\r\n"),
        (Side.INSIDE, b"331 Any password will do\r\n230 Logged in\r\n"),
        (Side.OUTSIDE, b"PASV\r\nRETR file\r\nEPSV\r\nRETR file\r\n"),
        (Side.INSIDE, b"227 Entering Passive Mode (192,168,1,10,19,137).\r\n150 Now\r\n226 Done\r\n"),
        (Side.INSIDE, b"229 Entering Extended Passive Mode (|||5002|)\r\n150 Now\r\n226 Done\r\n"),
    )

    def __init__(self, *, fxp: bool = False) -> None:
        self._fxp = fxp

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a control connection that begins."""
        return FtpDialogue(session, self._fxp)


HELPER = Ftp
