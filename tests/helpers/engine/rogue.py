"""A helper that misbehaves on command, whichever side gives it: for the tests of what becomes of its session.

HERE <address> <port>     the speaker's own endpoint
<a word of ROGUERY>       what the helper does when it reads this line
"""

import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

from helpers.engine.here import NAMED, fail, loop, text_of
from nfmasq.helpers.kit.base import Found, Mentioned, Reading, Session, Side

Spoil = Callable[[Reading, bytes], Any]


class Like(list[Found]):
    """What could run anything when it is gone through."""


def found(start: int, end: int, write: Callable[[IPv4Address, int], bytes] = text_of) -> Found:
    """An endpoint that is well-formed and allowed."""
    return Found(start, end, None, 5009, write)


def changed(what: Any, **fields: Any) -> Any:
    """A copy with these fields, of whatever type."""
    return what._replace(**fields)


def recurse(_: Reading, __: bytes) -> Any:
    """Call itself without end."""
    return recurse(_, __)


def write_without_end(*_: object) -> bytes:
    """Loop where the text is asked for."""
    loop()
    return b""


ROGUERY: dict[bytes, Spoil] = {
    b"RAISE": lambda *_: fail(),
    b"EXIT": lambda *_: sys.exit("on purpose"),
    b"RECURSE": recurse,
    b"NOTHING": lambda *_: None,
    b"YIELD": lambda *_: iter([found(0, 1)]),
    b"LAZY": lambda reading, _: changed(reading, found=(found(0, 1) for _ in range(9))),
    b"LIKE": lambda reading, _: changed(reading, found=Like([found(0, 1)])),
    b"DUCK": lambda reading, _: changed(reading, found=[SimpleNamespace(**found(0, 1)._asdict())]),
    b"FOUND": lambda reading, data: changed(
        reading, found=[found(at, at + 1) for at in range(len(data))] * 99
    ),
    b"REFUSED": lambda reading, data: changed(reading, not_acted_on=["forged"] * 100000),
    b"ASTRAY": lambda reading, data: changed(reading, found=[found(0, len(data) + 1)]),
    b"BACK": lambda reading, _: changed(reading, found=[found(3, 4), found(1, 2)]),
    b"EMPTY": lambda reading, _: changed(reading, found=[found(1, 1)]),
    b"MORE": lambda reading, data: changed(reading, taken=len(data) + 1),
    b"LESS": lambda reading, _: changed(reading, taken=-1),
    b"WORDS": lambda reading, _: changed(reading, found=["here"]),
    b"LETTERS": lambda reading, _: changed(reading, found=[changed(found(0, 1), start="0")]),
}
"""What it does in `read`; each ends the helper on that session."""
AT_LENGTH: dict[bytes, Spoil] = {
    b"LOOP": lambda *_: loop(),
    b"WRITE": lambda reading, _: changed(reading, found=[found(0, 1, write_without_end)]),
}
"""What never ends by itself."""
IN_WRITING: dict[bytes, Spoil] = {
    b"SCREAM": lambda reading, _: changed(reading, found=[found(0, 1, lambda *_: b"x" * 100000)]),
    b"SILENCE": lambda reading, _: changed(reading, found=[found(0, 1, lambda *_: b"")]),
}
"""What is not_acted_on, and ends nothing: the helper only wrote too much, or too little."""


class Rogue:
    """The helper."""

    name = "rogue"
    transport = "tcp"
    ports: tuple[int, ...] = (7000,)
    enabled_by_default = True
    about = "misbehaves"

    def begin(self, session: Session) -> "RogueDialogue":
        return RogueDialogue()


class RogueDialogue:
    """One session of it."""

    def read(self, side: Side, data: bytes) -> Reading:
        taken = data.rfind(b"\n") + 1
        places: list[Found | Mentioned] = [
            Found(*match.span(2), CLIENT, int(match[2].split()[1]), text_of)
            for match in NAMED.finditer(data, 0, taken)
        ]
        reading = Reading(taken, places)
        for line in data[:taken].splitlines():
            if b"MANY" in line:
                return Reading(taken, [found(at, at + 1) for at in range(taken)])
            spoil = (ROGUERY | AT_LENGTH | IN_WRITING).get(line)
            if spoil is not None:
                spoilt: Reading = spoil(reading, data)
                return spoilt
        return reading


CLIENT = IPv4Address("192.168.1.10")
