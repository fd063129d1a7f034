"""What a helper is: find endpoints in what two programs say to each other, and write others in their place.

A helper makes a Dialogue for each session. The engine feeds a dialogue every byte of a TCP session once,
from the first one, in order, whatever the segments were; of UDP one whole datagram at a time. What it may
say of them is a Reading. It never sees a packet, chooses no port and opens nothing: the engine checks every
endpoint it finds (is the address that of the side that says it? the port 1024 or more? is there room?)
before it acts.

An exception from a dialogue ends the helper on that session and is counted; the session goes on.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from ipaddress import IPv4Address
from typing import NamedTuple, Protocol

Endpoint = tuple[IPv4Address, int]


class Side(Enum):
    """Who says something: the end behind the router, or the one outside."""

    INSIDE = 0
    OUTSIDE = 1

    @property
    def other(self) -> "Side":
        """The side that hears it."""
        return Side.OUTSIDE if self is Side.INSIDE else Side.INSIDE


class Refusal(Exception):
    """What was found must not be acted upon; the text goes untouched. The reason is one of REFUSALS."""


REFUSALS = {
    "forged": "The endpoint names another host than the one that says it.",
    "privileged": "The port is below 1024.",
    "reserved": "The port is one of the router's own.",
    "not_allowed": "The helper's policy does not allow it.",
    "no_room": "As many expectations as may be are open, or no external port is free.",
    "malformed": "A number of the endpoint is out of range, or what should be one is none.",
    "too_long": "What would have to be written is longer than may be.",
    "disabled": "The helper is switched off.",
}
"""Why an endpoint is left as it is: closed set, a metric's label."""


class Found(NamedTuple):
    """An endpoint of the speaker's own, at which it is going to be reached from the other side.

    start, end: its span in the bytes given to `read`. address: the one written there, None where the
    protocol writes none. port: the one written there. write: the text for the endpoint that takes its
    place; it must be found again, with that endpoint, if read. transport: "tcp" or "udp", of what will
    come. anyone: it may come from any host (IRC DCC); else only from the other end of this session.
    from_port: the port it comes from, 0 for any. consecutive: how many ports in a row are meant, the first
    one even where it is 2 (RTP and RTCP). reuse: the endpoint was announced before by this session; no new
    expectation, the same external endpoint (DCC RESUME). as_seen: the address may as well be the session's
    external one, where programs ask their server for it (IRC); the port is the speaker's own all the same.
    patience_s: seconds it may take to be reached, if more than `timeouts.expectation`: where a person has to
    agree first.
    """

    start: int
    end: int
    address: IPv4Address | None
    port: int
    write: Callable[[IPv4Address, int], bytes]
    transport: str = "tcp"
    anyone: bool = False
    from_port: int = 0
    consecutive: int = 1
    reuse: bool = False
    as_seen: bool = False
    patience_s: int = 0


class Named(NamedTuple):
    """An address without a port: nothing is opened at it, but if it is the speaker's own, it is hidden.

    A passive DCC offer has one. write: as in Found; the port it is given is 0.
    """

    start: int
    end: int
    address: IPv4Address
    write: Callable[[IPv4Address, int], bytes]


class Mentioned(NamedTuple):
    """An external port of an earlier Found of the OTHER side's, written by who heard of it: put it back.

    DCC RESUME names the port that the peer was told. write: the text for the original endpoint.
    """

    start: int
    end: int
    port: int
    write: Callable[[IPv4Address, int], bytes]


Place = Found | Named | Mentioned
"""What a dialogue finds."""

MOST_FOUND = 256
"""Places in one reading; who finds more fails. Nobody means so many at once: leave instead."""


class Reading(NamedTuple):
    """What a dialogue makes of the bytes it was given.

    taken: how many of them it is done with; they may go on their way. What is not taken is held back,
    within the engine's bounds, and given again with more behind it: take all that cannot be a part of a
    message to be rewritten. found: in order, without overlaps, all within what is taken; it and refused are
    lists or tuples. leave: this is not the protocol, or from here on nobody can read it (TLS): the helper
    ends on this session for good. refused: reasons for messages that the dialogue itself left alone, to be
    counted.
    """

    taken: int
    found: Sequence[Place] = ()
    leave: bool = False
    refused: Sequence[str] = ()


class Session(NamedTuple):
    """What a dialogue may know of its session. inside_began: the internal host opened it."""

    internal: Endpoint
    external: Endpoint
    remote: Endpoint
    inside_began: bool


class Dialogue(Protocol):
    """One session's state in a helper."""

    def read(self, side: Side, data: bytes) -> Reading:
        """Read what `side` says next: all that was not taken yet of a stream, or one whole datagram."""


class Helper(Protocol):
    """A helper. One object serves all sessions; it has no state of its own but its options."""

    name: str
    """Lower-case word: its key in [helpers] and its label in metrics."""
    transport: str
    """"tcp" or "udp"."""
    ports: tuple[int, ...]
    """Of the server, where the file says nothing else."""
    enabled_by_default: bool
    about: str
    """One line for people."""

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a session that begins."""


def may_become(begun: bytes, beginnings: Sequence[bytes]) -> bool:
    """Could a line that has begun like this still begin like one of these (upper case) words?"""
    begun = begun.upper()
    return any(word.startswith(begun[: len(word)]) for word in beginnings)
