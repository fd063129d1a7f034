"""A helper of a made-up protocol, for the engine's tests: lines, one of which names an endpoint.

HI                          both sides begin so; anything else is another protocol
HERE <address> <port>       the speaker's own endpoint, which the other side will call
ANY <address> <port>        likewise, and anybody may call
AGAIN <address> <port>      it was announced before
YOURS <port>                an external port of the other side's
PAIR <address> <port>       two ports in a row
SELF <address> 0            an address without a port
BYE                         from here on nothing is to be read
LOOP, RAISE, LONG, FLOOD, ASTRAY, HANG   the helper misbehaves
"""

import re
import threading
from collections.abc import Callable
from ipaddress import IPv4Address

from support.router import CLIENT

from nfmasq.helpers.kit.base import Found, Mentioned, Named, Place, Reading, Session, Side

HANGING = threading.Event()
"""A helper that hangs comes back when it is set."""
NAMED = re.compile(rb"(HERE|ANY|AGAIN|PAIR|WHOLE) (\S+ \d+)\r\n")
SELF = re.compile(rb"SELF (\S+) 0\r\n")
YOURS = re.compile(rb"YOURS (\d+)\r\n")


def text_of(address: IPv4Address, port: int) -> bytes:
    """An endpoint as the protocol writes it."""
    return b"%s %d" % (str(address).encode(), port)


def line_of(address: IPv4Address, port: int) -> bytes:
    """As text_of, with the line's end."""
    return text_of(address, port) + b"\r\n"


HI = b"HI\r\n"
HERE, ALSO = (b"HERE " + line_of(CLIENT, port) for port in (5000, 5001))
"""CLIENT's own endpoints."""


class Here:
    """The helper."""

    name = "here"
    transport = "tcp"
    ports: tuple[int, ...] = (7000,)
    enabled_by_default = True
    about = "a made-up protocol"

    def begin(self, session: Session) -> "HereDialogue":
        return HereDialogue()


class HereDialogue:
    """One session of it. heard: all that was read, by side."""

    def __init__(self) -> None:
        self.heard = {Side.INSIDE: b"", Side.OUTSIDE: b""}

    def read(self, side: Side, data: bytes) -> Reading:
        if not self.heard[side] and not b"HI\r\n".startswith(data[:4]):
            return Reading(0, leave=True)
        taken = data.rfind(b"\n") + 1
        self.heard[side] += data[:taken]
        found: list[Place] = []
        for line in re.finditer(rb"[^\n]*\n", data[:taken]):
            misbehave(line[0])
            if line[0] == b"BYE\r\n":
                return Reading(line.end(), found, leave=True)
            if line[0] == b"ASTRAY\r\n":
                found.append(Found(0, len(data) + 5, None, 5000, text_of))
            if line[0] == b"FLOOD\r\n":
                found += [Found(at, at + 1, None, 5000, text_of) for at in range(1000)]
            found += endpoints(line[0], line.start())
        return Reading(taken, found)


def endpoints(line: bytes, at: int) -> list[Place]:
    """What a line names."""
    if match := NAMED.fullmatch(line):
        address, port = match[2].split()
        return [
            Found(
                at + match.start(2),
                at + (match.end() if match[1] == b"WHOLE" else match.end(2)),
                IPv4Address(address.decode()),
                int(port),
                line_of if match[1] == b"WHOLE" else text_of,
                anyone=match[1] == b"ANY",
                reuse=match[1] == b"AGAIN",
                consecutive=2 if match[1] == b"PAIR" else 1,
            )
        ]
    if match := SELF.fullmatch(line):
        return [Named(at + match.start(1), at + match.end(1) + 2, IPv4Address(match[1].decode()), text_of)]
    if match := YOURS.fullmatch(line):
        return [Mentioned(at + match.start(1), at + match.end(1), int(match[1]), number_of)]
    if line == b"LONG\r\n":
        return [Found(at, at + 4, None, 5000, lambda address, port: b"x" * 5000)]
    return []


def number_of(address: IPv4Address, port: int) -> bytes:
    """A port as the protocol writes it."""
    return b"%d" % port


def misbehave(line: bytes) -> None:
    """Do what a bad helper may do."""
    bad: dict[bytes, Callable[[], object]] = {b"LOOP": loop, b"RAISE": fail, b"HANG": HANGING.wait}
    if line.rstrip() in bad:
        bad[line.rstrip()]()


def loop() -> None:
    """Never return."""
    while True:
        pass


def fail() -> None:
    """Raise."""
    raise ZeroDivisionError("on purpose")


class Echo:
    """A helper of datagrams: the same lines, one in each."""

    name = "echo"
    transport = "udp"
    ports: tuple[int, ...] = (7000,)
    enabled_by_default = True
    about = "a made-up protocol of datagrams"

    def begin(self, session: Session) -> "EchoDialogue":
        return EchoDialogue()


class EchoDialogue:
    """One session of it."""

    def read(self, side: Side, data: bytes) -> Reading:
        if data.startswith(b"BYE"):
            return Reading(len(data), leave=True)
        misbehave(data)
        return Reading(len(data), endpoints(data, 0))


class Badly(Here):
    """A helper that fails when a session begins."""

    name = "badly"
    ports: tuple[int, ...] = (7001,)

    def begin(self, session: Session) -> HereDialogue:
        raise ZeroDivisionError("on purpose")
