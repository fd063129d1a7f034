"""What a helper is: it finds endpoints in the bytes of two programs, and writes others in their place.

A helper makes a Dialogue for each session. The engine gives a dialogue every byte of a TCP session once, in
order, from the first one, whatever the segments were. Of UDP it gives one whole datagram at a time. The
dialogue answers with a Reading. It never sees a packet, chooses no port and opens nothing. The engine checks
every endpoint before it acts: is the address the speaker's own, is the port 1024 or more, is there room?

An exception from a dialogue ends the helper on that session and is counted; the session goes on.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from ipaddress import IPv4Address
from typing import NamedTuple, Protocol, Self

Endpoint = tuple[IPv4Address, int]


class Side(Enum):
    """A side of a session: the host behind the router, or the remote one."""

    INSIDE = 0
    OUTSIDE = 1

    @property
    def other(self) -> "Side":
        """The side that receives what this one sends."""
        return Side.OUTSIDE if self is Side.INSIDE else Side.INSIDE


class NotActedOn(Exception):
    """An endpoint is not acted on; its text goes untouched. The message is a key of NOT_ACTED_ON."""


Refusal = NotActedOn
"""The older name of NotActedOn, which helpers may import."""

NOT_ACTED_ON = {
    "forged": "The endpoint names a host other than the speaker.",
    "privileged": "The port is below 1024.",
    "reserved": "The port is one of the router's own.",
    "not_allowed": "The helper's policy does not allow it.",
    "no_room": "All expectations are in use, or no external port is free.",
    "malformed": "A number of the endpoint is out of range, or is no number.",
    "too_long": "The text that would be written is longer than the limit.",
    "disabled": "The helper is disabled.",
}
"""Reasons why an endpoint is not acted on, and a sentence for each: a closed set, a metric's label."""
REFUSALS = NOT_ACTED_ON
"""The older name of NOT_ACTED_ON, which helpers may import."""


class Apart(NamedTuple):
    """What is written, too, where no ports in a row are free, and each has one by itself (SDP a=rtcp).

    Also where the first of two is odd: the endpoint has that port already. always: it is written wherever
    the ports lie, because the text names all of them.

    start, end: a span behind the Found's own, in the same part of `Reading.whole`. write: makes its text for
    the external address and all ports, in order.
    """

    start: int
    end: int
    write: Callable[[IPv4Address, Sequence[int]], bytes]
    always: bool = False


class Found(NamedTuple):
    """An endpoint of the speaker's own, to which the other side is going to open a session.

    start, end: its span in the bytes given to `read`. address: the written one; None where the protocol
    writes none. port: the written one, 0 to 65535; of "gre" the key of 16 bits. write: makes the text for the
    endpoint that takes its place; `read` must find that text, too, with that endpoint. None: no text is
    written, and the span is empty (TFTP). The external port is then the session's own where the endpoint is
    the session's, else the same port. transport: "tcp", "udp" or "gre", of the session to come. Packets of
    "gre" carry their receiver's key alone. So the key that the outside writes is announced too: for what the
    inside is going to send. It stays as it is, and in `Reading.ended` its transport is SENT.

    anyone: any host may open it (IRC DCC); else only the other end of this session may. from_port: the port
    the session comes from, 0 for any. consecutive: how many ports in a row are meant; of two the first one is
    even (RTP and RTCP). reuse: this session announced the endpoint before: the same external endpoint is
    written, and nothing new is expected (DCC RESUME). as_seen: the address may also be the session's external
    one, where programs ask their server for it (IRC); the port is the speaker's own. patience_s: seconds the
    session may take to come, if more than `timeouts.expectation`: where a person has to agree first.

    hide: the address is internal and must not be seen outside (FTP's 227). If the endpoint is not acted on,
    the external address is written, with the port as it is.

    reader: the name of the helper that reads the session to come (H.245); "": nobody reads it. note: what
    that helper's dialogue is told, as Session.note. ends_with_control: the session to come ends with this
    one, and with `Reading.ended`; until then it lives, though nothing comes (RTP in a pause). Otherwise it
    lives on by itself (FTP). media: it is of a call that `Reading.ended` ends, and does not give way to newer
    ones of this session. Those are not acted on where there is no room. If anyone may open it, the first host
    alone may: as soon as one has come, or is admitted, no other is let in. Announced again, a port whose
    session lives keeps it, and expects nothing new. lifetime_s: the session to come, or its
    expectation, lives so many seconds at least (SIP REGISTER); announcing it again begins them anew. apart:
    the ports need not be in a row, if the text can say so. A host that has begun to send from them has
    mappings already, and those stay. privileged: the port must be one of 512 to 1023 (rsh). The session's
    internal port must be below 1024, too: so its program may use such ports. The external one is below 1024.
    """

    start: int
    end: int
    address: IPv4Address | None
    port: int
    write: Callable[[IPv4Address, int], bytes] | None
    transport: str = "tcp"
    anyone: bool = False
    from_port: int = 0
    consecutive: int = 1
    reuse: bool = False
    as_seen: bool = False
    patience_s: int = 0
    hide: bool = False
    reader: str = ""
    note: object = None
    ends_with_control: bool = False
    lifetime_s: int = 0
    apart: Apart | None = None
    media: bool = False
    privileged: bool = False


class Named(NamedTuple):
    """An address at which nothing is expected: alone, or with the port of this very session (SIP Via).

    If the address is the speaker's own, the external one is written. write: as in Found, with port 0 where
    `port` is 0. port: if it is not 0, it must be the session's own internal port, and the external one is
    written with the address. Otherwise the text stays. hide: it is written in any case; the address is
    internal and must not be seen outside.
    """

    start: int
    end: int
    address: IPv4Address
    write: Callable[[IPv4Address, int], bytes]
    hide: bool = False
    port: int = 0


class Mentioned(NamedTuple):
    """An external endpoint of ours that the OTHER side writes: the internal one is written.

    It is this session's own external endpoint, or one of an earlier Found (DCC RESUME, SIP Contact). address:
    the written one, which must be an external address of the same host; None where the protocol writes none.
    With port 0 the address stands alone (an entry of a CU-SeeMe list). It must be this session's external
    one; the internal one is written, with port 0. write: makes the text for the internal endpoint.
    transport: of the endpoint; "": any.
    """

    start: int
    end: int
    port: int
    write: Callable[[IPv4Address, int], bytes]
    address: IPv4Address | None = None
    transport: str = ""


class Size(NamedTuple):
    """A number that says how long a part of the message is: written last, from what was written.

    start, end: the number's span. begin, until: the part, in the bytes given to `read`; both lie in what is
    taken. It may hold other places and other sizes (Content-Length around SDP, TPKT around Q.931). write:
    makes the text for a length of the part, in bytes. A size whose part did not change stays as it is.
    """

    start: int
    end: int
    begin: int
    until: int
    write: Callable[[int], bytes]


class Admitted(NamedTuple):
    """Another remote host whose session an expectation lets in (RTSP source=, an SDP answer's address).

    transport, port: the internal endpoint of an earlier Found of this session. remote: who may open it as
    well. from_port: as in Found.
    """

    transport: str
    port: int
    remote: IPv4Address
    from_port: int = 0


SENT = "gre-sent"
"""In `Reading.ended`: the transport of a key that the outside has written."""

Place = Found | Named | Mentioned | Size
"""What a dialogue finds."""

MOST_UNTAKEN = 4096
"""Bytes of one side that a dialogue may leave untaken. With more the helper ends on this session."""
LONGEST_MESSAGE = 65536
"""Bytes: as many may wait for a helper that asks for them by `longest_message`, where sizes are written."""
LARGEST_REMEMBERED = (1 << 31) - 1
MOST_FOUND = 256
"""Places in one reading: more of them are an error. A dialogue that finds more should leave."""


_tuple = tuple.__new__
"""Makes a named tuple of a tuple, in half the time."""


class _Reading(NamedTuple):
    taken: int
    """How many of the bytes the dialogue is done with; they go on their way. The other bytes wait."""
    found: Sequence[Place] = ()
    """A list or tuple: places in order, without overlaps, all within the bytes taken."""
    leave: bool = False
    """The helper ends on this session for good: this is another protocol, or TLS makes it unreadable."""
    not_acted_on: Sequence[str] = ()
    """A list or tuple: for each message that the dialogue did not act on, a key of NOT_ACTED_ON."""
    admitted: Sequence[Admitted] = ()
    """A list or tuple: other remote hosts that may open what was announced."""
    ended: Sequence[tuple[str, int]] = ()
    """A list or tuple: transports and internal ports of announced endpoints that are over (RTSP TEARDOWN)."""
    hold_s: int = 0
    """Seconds that this session lives from now on at least, though nothing is said in it (SIP REGISTER)."""
    whole: Sequence[tuple[int, int]] = ()
    """A list or tuple of spans: the places in one are all written, or none (SDP).

    None is where one of them is not acted on. Then not even an address to hide is written."""
    remember: int = 0
    """A number from 1 to LARGEST_REMEMBERED that the core keeps with a UDP session, over a restart too.

    A dialogue that begins again in the middle of its session knows it as Session.remembered."""


class Reading(_Reading):
    """What a dialogue makes of the bytes it was given.

    Bytes that wait are given again with more behind them, within the engine's bounds. Take all bytes that
    cannot be part of a message to be rewritten.
    """

    __slots__ = ()

    def __new__(  # noqa: PLR0917  positional, as in the tuple
        cls,
        taken: int,
        found: Sequence[Place] = (),
        leave: bool = False,
        not_acted_on: Sequence[str] = (),
        admitted: Sequence[Admitted] = (),
        ended: Sequence[tuple[str, int]] = (),
        hold_s: int = 0,
        whole: Sequence[tuple[int, int]] = (),
        remember: int = 0,
        *,
        refused: Sequence[str] = (),
    ) -> Self:
        """refused: the older name of not_acted_on."""
        left_alone = not_acted_on or refused
        return _tuple(cls, (taken, found, leave, left_alone, admitted, ended, hold_s, whole, remember))


class Session(NamedTuple):
    """What a dialogue may know of its session. inside_began: the internal host opened it.

    transport: "tcp" or "udp". note: what the dialogue that announced this session gave as Found.note.
    host: what the helper keeps of the internal host (Helper.meet). remembered: the last Reading.remember; 0:
    there was none.
    """

    internal: Endpoint
    external: Endpoint
    remote: Endpoint
    inside_began: bool
    transport: str = "tcp"
    note: object = None
    host: object = None
    remembered: int = 0


class Dialogue(Protocol):
    """One session's state in a helper."""

    def read(self, side: Side, data: bytes) -> Reading:
        """Read what `side` says next: bytes of a stream that were not taken yet, or one whole datagram."""


class Helper(Protocol):
    """A helper. One object serves all sessions; its options are its only state.

    It may have `longest_message` (LONGEST_MESSAGE), and `meet(host)`. That makes what the helper keeps of an
    internal host, for a protocol that goes on in another session of the host (SIP: its calls). All dialogues
    of the host have the same object as Session.host. It ends with the last of them, and must allow weak
    references.
    """

    name: str
    """Lower-case word: its key in [helpers] and its label in metrics."""
    ports: tuple[int, ...]
    """The server's ports, where the configuration says nothing else."""
    enabled_by_default: bool
    about: str
    """One line for people. A helper may have `warning`, too: what to know where it is enabled."""

    @property
    def transport(self) -> str | tuple[str, ...]:
        """tcp, udp, or a tuple of both.

        Of both, it may have `framed`, by which its examples are written on TCP (`trial`).
        """

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a session that begins."""


def transports_of(helper: Helper) -> tuple[str, ...]:
    """The transports of a helper's sessions, in its own order."""
    return (helper.transport,) if isinstance(helper.transport, str) else tuple(helper.transport)


def longest_of(helper: Helper) -> int:
    """Bytes of one side that the helper may leave untaken: its `longest_message`, or else MOST_UNTAKEN."""
    longest = getattr(helper, "longest_message", MOST_UNTAKEN)
    return max(MOST_UNTAKEN, min(longest, LONGEST_MESSAGE))
