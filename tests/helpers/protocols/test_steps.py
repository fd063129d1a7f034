"""How much work any bytes can make for the helpers of the tree: steps are counted, not time.

A step is a call of a function, Python's or C's. The engine gives a dialogue 4096 bytes in one call; the tests
give more.
"""

import sys
from types import FrameType

import pytest
from support.dialogues import IN, OUT

from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.lines import MOST_LINES
from nfmasq.helpers.kit.listener import INTERNAL, Listener
from nfmasq.helpers.protocols.ftp import Ftp
from nfmasq.helpers.protocols.ftp.dialogue import LONGEST
from nfmasq.helpers.protocols.irc import MESSAGE, TAGS, Irc

AT_ONCE = 65536
OF_A_LINE = 40
"""Steps that a line of the common kind may cost."""
OF_THE_LONGEST_LINE = 2000
OF_A_BEGUN_LINE = 400
"""Each time that a byte comes to it."""

LOGINS: dict[type[Ftp | Irc], tuple[tuple[Side, bytes], ...]] = {
    Ftp: (
        (OUT, b"220 Hi\r\n"),
        (IN, b"USER a\r\n"),
        (OUT, b"331 Password\r\n"),
        (IN, b"PASS b\r\n"),
        (OUT, b"230 In\r\n"),
    ),
    Irc: ((IN, b"NICK a\r\nUSER a 0 * :A\r\n"), (OUT, b":x 001 a :Hi\r\n")),
}
OWN = b"%d" % int(INTERNAL)
OF_FTP = LONGEST - 2
OF_IRC = TAGS + MESSAGE - 20
LINES = [
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
]  # fmt: skip


def steps(heard: Listener, side: Side, text: bytes) -> int:
    """How many it takes the dialogue to read this."""
    count = 0

    def step(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        heard._dialogue.read(side, text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("kind", "line"), LINES, ids=lambda each: each.__name__ if isinstance(each, type) else repr(each[:30])
)
class TestLines:
    """The shortest, the longest, and those that look most like something."""

    def test_as_many_at_once_as_may_come(self, kind: type[Ftp | Irc], line: bytes, side: Side) -> None:
        text = (line + b"\n") * (AT_ONCE // (len(line) + 1))
        most = MOST_LINES * OF_A_LINE
        if len(line) > 100:
            most = (len(text) // len(line)) * OF_THE_LONGEST_LINE
        assert steps(Listener(kind(), True).hear_all(LOGINS[kind]), side, text) <= most

    def test_byte_by_byte(self, kind: type[Ftp | Irc], line: bytes, side: Side) -> None:
        heard = Listener(kind(), True).hear_all(LOGINS[kind])
        heard.hear(side, line[:-3])
        for at in range(max(len(line) - 3, 0), len(line)):
            given = heard.waiting[side] + line[at : at + 1]
            assert heard.left or steps(heard, side, given) <= OF_A_BEGUN_LINE
