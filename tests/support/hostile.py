"""Bytes that make the helpers of the tree work most, for tests that count and for figures."""

from nfmasq.helpers.kit.listener import INTERNAL, Example
from nfmasq.helpers.protocols.ftp import Ftp
from nfmasq.helpers.protocols.ftp import dialogue as ftp
from nfmasq.helpers.protocols.irc import MESSAGE, TAGS, Irc
from nfmasq.helpers.protocols.pptp import CONNECTED, CONTROL, COOKIE, HEADER, Pptp
from nfmasq.helpers.protocols.rtsp import Rtsp
from nfmasq.helpers.protocols.rtsp import dialogue as rtsp
from nfmasq.helpers.protocols.tftp import Tftp
from support.dialogues import IN, OUT

Kind = type[Ftp] | type[Irc] | type[Pptp] | type[Rtsp] | type[Tftp]

AT_ONCE = 65536
"""Bytes of a stream."""
BEGUN: dict[Kind, Example] = {
    Ftp: (
        (OUT, b"220 Hi\r\n"),
        (IN, b"USER a\r\n"),
        (OUT, b"331 Password\r\n"),
        (IN, b"PASS b\r\n"),
        (OUT, b"230 In\r\n"),
    ),
    Irc: ((IN, b"NICK a\r\nUSER a 0 * :A\r\n"), (OUT, b":x 001 a :Hi\r\n")),
    Pptp: Pptp.examples[:4],
    Rtsp: (
        (IN, b"SETUP rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\nSETUP rtsp://x/ RTSP/1.0\r\nCSeq: 2\r\n"),
        (OUT, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"),
    ),
    Tftp: (),
}
"""What was said before: from here on each side may name endpoints."""
OWN = b"%d" % int(INTERNAL)


def pptp(kind: int, length: int, *ids: int) -> bytes:
    """A message of PPTP with so many bytes; where it is a reply, the call is connected."""
    head = HEADER.pack(length, CONTROL, COOKIE, kind) + bytes(2) + b"".join(each.to_bytes(2) for each in ids)
    return (head + bytes([CONNECTED])).ljust(length, b"\0")[:length]


OF_FTP = ftp.LONGEST - 2
OF_IRC = TAGS + MESSAGE - 20
OF_RTSP = rtsp.LONGEST - 2
_SETUP = b"SETUP rtsp://x/ RTSP/1.0\nTransport: RTP/AVP;"
_REPLY = b"RTSP/1.0 200 OK\nTransport: RTP/AVP;"
LINES: list[tuple[Kind, bytes]] = [
    *((Ftp, line) for line in (
        b"", b"\r", b"X", b"NOOP\r", b"PORT", b"PORT x", b"USER a", b"\xff\xf4", b"200 x", b"211-x",
        b"x" * OF_FTP, b"\xff\xf4" * (OF_FTP // 2), b"PORT " + b"1" * (OF_FTP - 9),
        b"PORT" + b" " * (OF_FTP - 9), b"PORT " + b"1," * (OF_FTP // 2 - 9),
        b"EPRT " + b"|1" * (OF_FTP // 2 - 9), b"227 " + b"1,1 " * (OF_FTP // 4 - 9),
        b"229 " + b"(|||1" * (OF_FTP // 5 - 9),
    )),
    *((Irc, line) for line in (
        b"", b"\r", b"X", b"PING x\r", b"PRIVMSG b :x", b"PRIVMSG b :\x01\x01", b"@a X", b":a 002 b c",
        b"x" * OF_IRC, b"@" + b"a" * OF_IRC, b"PRIVMSG" + b" " * (OF_IRC - 9),
        b"NOTICE b :DCC x" + b"(" * (OF_IRC - 9), b"PRIVMSG b :" + b"\x01" * (OF_IRC - 9),
        b"PRIVMSG b :" + b"\x01DCC x" * (OF_IRC // 6 - 9),
        b"PRIVMSG b :\x01DCC SEND" + b" 1" * (OF_IRC // 2 - 19),
        b"PRIVMSG b :\x01DCC ACCEPT" + b" 1" * (OF_IRC // 2 - 19),
        b"PRIVMSG b :\x01DCC SEND a" + b" " * (OF_IRC - 29),
        b"PRIVMSG b :" + (b"\x01DCC SEND a " + OWN + b" 1\x01") * 200,
    )),
    *((Pptp, pptp(*said)) for said in (
        (5, 16), (12, 16, 1), (12, 16, 1990), (13, 148, 0), (15, 24, 1990), (7, 168, 1), (8, 32, 2, 1990),
        (8, 512, 2, 1990), (99, 18), (99, 65535),
    )),
    *((Rtsp, line) for line in (
        b"", b"\r", b"X", b" ", b" x", b"\r\n\r", b"CSeq: 1\r", b"Transport:",
        b"Transport: a;client_port=1", b"$\0\0", b"\n$\0\0\1\n", b"x" * OF_RTSP, b" " * OF_RTSP,
        b"\n" * OF_RTSP, b"x" + b"\n " * (OF_RTSP // 2 - 9), b"Transport:" + b" " * (OF_RTSP - 19),
        b"Transport: x;" + b" " * (OF_RTSP - 29) + b'"', b"Transport: x;" + b" " * (OF_RTSP - 29) + b'=""',
        b"Transport: x;source=/" + b" " * (OF_RTSP - 29) + b"x",
        b"Transport: x;client_port=1" + b" " * (OF_RTSP - 39) + b"x",
        b"Transport: " + b'"' * (OF_RTSP - 19), b"Transport: " + b";" * (OF_RTSP - 19),
        b"Transport: " + b"," * (OF_RTSP - 19), b"Transport: " + b";," * 60, b"Transport: " + b"x," * 60,
        b"Transport: x" + b";source=1.2.3.4" * 60,
        b"Transport: x;dest_addr=" + b'":5000"/' * (OF_RTSP // 8 - 9),
        b"Transport: x;client_port=" + b"1" * (OF_RTSP - 39),
        b"Transport: x;client_port=1-" + b" " * (OF_RTSP - 39),
        b"Transport: x" + b"\n ;client_port=1" * 100, b"Transport" + b" " * (OF_RTSP - 19),
        b"CSeq:" + b" " * (OF_RTSP - 19), b"\n" + _SETUP + b"client_port=5000\n",
        b"\n" + _SETUP + b"client_port=5000-5007," * 20 + b"\n",
        b"\n" + _REPLY + b"client_port=5000-5007;source=1.2.3.4\n",
        b"\n" + _REPLY + b"client_port=1," * 100 + b"\n",
    )),
    *((Tftp, line) for line in (
        b"", b"\0\1a\0octet\0", b"\0\1" + b"a" * OF_RTSP, b"\0\1a\0octet\0" + b"\0" * 500,
        b"\0\2" + b"a\0" * 250,
    )),
]  # fmt: skip
"""Lines of a stream, without their LF, messages, and datagrams: the shortest, the longest, and those that
look most like something."""


def hostile(line: bytes, kind: Kind) -> bytes:
    """As many bytes of this as may come; of a datagram just the one."""
    end = b"" if kind is Pptp else b"\n"
    return line if kind is Tftp else (line + end) * (AT_ONCE // len(line + end))
