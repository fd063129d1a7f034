"""Feeds a dialogue as the engine does, and checks each reading: the ear of the contract test.

What is stored: the bytes of each side that the dialogue has not taken yet, and all places that it found. Who
writes: `hear` alone.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import FrameType
from typing import Any, NamedTuple

from nfmasq.helpers.kit import base
from nfmasq.helpers.kit.base import (
    LARGEST_REMEMBERED,
    MOST_FOUND,
    NOT_ACTED_ON,
    Admitted,
    Found,
    Helper,
    Reading,
    Session,
    Side,
    Size,
    longest_of,
    transports_of,
)

INTERNAL = IPv4Address("192.168.1.10")
EXTERNAL = IPv4Address("203.0.113.2")
REMOTE = IPv4Address("203.0.113.10")

CPU_S = 2.0
"""Seconds of processor time that one reading may take.

The engine allows far less. This limit tells a loop, or steps that grow with the square of the length, from a
slow machine.
"""

Example = Sequence[tuple[Side, bytes]]
"""What two programs say to each other: bytes, each with the side that says them."""


class Broken(AssertionError):
    """A helper breaks the contract; the message says where."""


class TookTooLong(BaseException):
    """A call was interrupted; no Exception, because a helper might catch one."""


class Place(NamedTuple):
    """What a dialogue found, and its span in the bytes of its side."""

    side: Side
    start: int
    end: int
    what: base.Place


@dataclass
class Listener:
    """Feeds one dialogue. left: it has left, and reads no more. waiting: bytes that it has not taken.

    Bytes of a stream that are not taken are given again with more behind them; a datagram is given once.
    transport: of the session; "": the helper's first. note: as Session.note. port: the internal one; 0: as
    the session needs it, 40000 or the helper's. host: as Session.host; None: what the helper makes.
    remembered: as Session.remembered, and what the dialogue remembers.
    """

    helper: Helper
    inside_began: bool
    internal: IPv4Address = INTERNAL
    transport: str = ""
    note: object = None
    port: int = 0
    host: object = None
    remembered: int = 0

    def __post_init__(self) -> None:
        self.transport = self.transport or transports_of(self.helper)[0]
        port = self.helper.ports[0]
        inside, outside = (40000, port) if self.inside_began else (port, 40000)
        self.session = Session(
            (self.internal, self.port or inside),
            (EXTERNAL, inside),
            (REMOTE, outside),
            self.inside_began,
            self.transport,
            self.note,
            self._met() if self.host is None else self.host,
            self.remembered,
        )
        self.host = self.session.host
        self.places: list[Place] = []
        self.not_acted_on: list[str] = []
        self.admitted: list[Admitted] = []
        self.ended: list[tuple[str, int]] = []
        self.hold_s = 0
        self.left = False
        self.waiting = dict.fromkeys(Side, b"")
        self._at = dict.fromkeys(Side, 0)
        self._dialogue = called(lambda: self.helper.begin(self.session), "begin", b"")

    def _met(self) -> object:
        meet = getattr(self.helper, "meet", None)
        return None if meet is None else called(lambda: meet(self.internal), "meet", b"")

    def hear_all(self, said: Example) -> "Listener":
        """Let the dialogue read all of it, in order. Raises Broken."""
        for side, text in said:
            self.hear(side, text)
        return self

    @property
    def refused(self) -> list[str]:
        """The older name of not_acted_on."""
        return self.not_acted_on

    def hear(self, side: Side, text: bytes) -> None:
        """Let the dialogue read what a side says next. Raises Broken."""
        if self.left:
            return
        given = self.waiting[side] + text
        reading = called(lambda: self._dialogue.read(side, given), f"read({side}, …)", given)
        self._check(reading, given)
        taken = reading.taken if self.transport == "tcp" else len(given)
        self.places += [
            Place(side, self._at[side] + one.start, self._at[side] + one.end, one) for one in reading.found
        ]
        self.not_acted_on += reading.not_acted_on
        self.admitted += reading.admitted
        self.ended += reading.ended
        self.hold_s = reading.hold_s or self.hold_s
        self.remembered = reading.remember or self.remembered
        self._at[side] += taken
        self.waiting[side] = given[taken:]
        self.left = reading.leave or len(given) - taken > longest_of(self.helper)

    def _check(self, reading: object, given: bytes) -> None:
        def must(kept: bool, clause: str) -> None:
            if not kept:
                raise Broken(f"{clause}: {reading!r} of {shown(given)}")

        if not isinstance(reading, Reading):
            raise Broken(f"read must return a Reading: {reading!r} of {shown(given)}")
        must(0 <= reading.taken <= len(given), "no more can be taken than was given")
        lists = reading.found, reading.not_acted_on, reading.admitted, reading.ended, reading.whole
        must({type(each) for each in lists} <= {list, tuple}, "they are lists or tuples")
        must(
            all(reason in NOT_ACTED_ON for reason in reading.not_acted_on),
            "reasons are those of base.NOT_ACTED_ON",
        )
        must(max(map(len, (lists[0], *lists[2:]))) <= MOST_FOUND, f"at most {MOST_FOUND} are found at once")
        must(all(isinstance(one, Admitted) for one in reading.admitted), "each admitted is an Admitted")
        must(reading.hold_s >= 0, "a session is held for 0 seconds or more")
        must(
            0 <= reading.remember <= LARGEST_REMEMBERED,
            f"what is remembered is a number up to {LARGEST_REMEMBERED}",
        )
        end = len(given) if reading.leave else reading.taken
        before = 0
        for one in reading.found:
            if isinstance(one, Found) and one.apart is not None:
                parts = [part for part in reading.whole if part[0] <= one.start < one.apart.start]
                must(
                    any(one.apart.end <= part[1] for part in parts), "ports apart are written in a whole part"
                )
            must(before <= one.start <= one.end, "spans come in order and do not overlap")
            must(
                (one.write is None) == (one.start == one.end),
                "spans are not empty, except of what writes nothing",
            )
            must(one.end <= end, "a span lies in what is taken")
            if isinstance(one, Size):
                must(0 <= one.begin <= one.until <= end, "a size's part lies in what is taken")
            else:
                must(0 <= one.port <= 65535, "a port is at most 65535")
            if isinstance(one, Found):
                must(one.transport in {"tcp", "udp", "gre"}, "the transport is gre, tcp or udp")
                must(min(one.lifetime_s, one.patience_s) >= 0, "seconds are 0 or more")
                must(0 <= one.from_port <= 65535 and one.consecutive >= 1, "ports and their number are sane")
            before = one.end


def shown(text: bytes) -> str:
    """Bytes for people: long ones are cut."""
    return repr(text) if len(text) <= 300 else f"{text[:300]!r}… ({len(text)} bytes)"


def called(function: Callable[[], Any], what: str, given: bytes) -> Any:
    """A call's result. Raises Broken where the call raises, or takes too long."""
    try:
        with _limited():
            return function()
    except TookTooLong:
        raise Broken(f"{what} takes more than {CPU_S} s of {shown(given)}") from None
    except Exception as error:
        raise Broken(f"{what} raises {error!r} of {shown(given)}") from error


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TookTooLong in a block that takes too long; only the main thread can be interrupted."""

    def too_long(signum: int, frame: FrameType | None) -> None:
        raise TookTooLong

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
