"""What a connection has set up: which ports wait for media, and what ends them.

What is stored: requests that wait for their reply (`pairing`); of each stream its URL, session and ports. Who
writes: the dialogue, at the end of each message's headers. What ends a stream: TEARDOWN of it or of its
session, a newer stream with its ports, or MOST_STREAMS newer ones. The end of the connection ends all: what
was announced ends with its control session.

A host may open thousands of connections, so each stores little, whatever is said: MOST_UNANSWERED requests,
MOST_STREAM_PORTS ports, and of long texts a digest.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from ipaddress import IPv4Address

from nfmasq.helpers.kit.pairing import ByNumber

MOST_STREAMS = 64
MOST_UNANSWERED = 16
"""That wait for their reply."""
MOST_STREAM_PORTS = 256
"""Of all streams, and of all requests that wait."""
LONGEST_KEPT = 64
"""Bytes of a text that is stored as it is."""
_NO_SUCH_SESSION = b"454"


def kept(text: bytes) -> bytes:
    """What is stored of a text that is only compared with others: itself, or its digest."""
    return text if len(text) <= LONGEST_KEPT else blake2b(text, digest_size=32).digest()


@dataclass(slots=True)
class Message:
    """A message whose headers are under way. method: b"" of a reply. code: b"" of a request.

    lines: of its headers. number, session: the values of CSeq and Session; b"" as long as they were not seen.
    These and url are as `kept` makes them.
    places: how many were found. rows: what was announced, numbers of ports by first port; ports: all of them.
    sources: addresses that media come from, in order. is_udp: False when a Transport header has named other
    transports alone; None: there was none.
    """

    method: bytes = b""
    url: bytes = b""
    code: bytes = b""
    lines: int = 0
    number: bytes = b""
    session: bytes = b""
    places: int = 0
    rows: dict[int, int] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    sources: list[IPv4Address] = field(default_factory=list)
    is_udp: bool | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that was set up."""

    url: bytes
    session: bytes
    ports: frozenset[int]


class Setups:
    """Those of one connection."""

    def __init__(self) -> None:
        self._requests: ByNumber[Message] = ByNumber(MOST_UNANSWERED)
        self._streams: list[Stream] = []

    def asked(self, request: Message) -> None:
        """The client has sent a request."""
        request.rows = {}
        self._requests.add(request.number, request)

    def has_room(self, ports: int) -> bool:
        """Can a message announce so many ports more than are in use?"""
        return len(self._in_use()) + ports <= MOST_STREAM_PORTS

    def awaits_setup(self, number: bytes) -> bool:
        """May a reply that has begun, with this CSeq or none yet, answer SETUP?"""
        if number:
            request = self._requests.awaits(number)
            return request is not None and request.method == b"SETUP"
        return any(request.method == b"SETUP" for request in self._requests)

    def answered(self, reply: Message) -> tuple[set[int], set[int]]:
        """The ports of the stream that a reply sets up, and the ports that it ends."""
        if reply.code.startswith(b"1"):
            return set(), set()
        request = self._requests.answered(reply.number)
        is_good = reply.code.startswith(b"2")
        if request is None:
            return set(), reply.ports - self._in_use()
        if request.method == b"TEARDOWN" and (is_good or reply.code == _NO_SUCH_SESSION):
            return set(), self._torn_down(request.url, request.session or reply.session)
        ports = request.ports | reply.ports
        if request.method != b"SETUP" or not ports:
            return set(), set()
        if not is_good or reply.is_udp is False:
            return set(), ports - self._in_use()
        self._add(Stream(request.url, reply.session or request.session, frozenset(ports)))
        return ports, set()

    def _add(self, stream: Stream) -> None:
        self._streams = [each for each in self._streams if not each.ports & stream.ports]
        self._streams = [*self._streams[-MOST_STREAMS + 1 :], stream]

    def _torn_down(self, url: bytes, session: bytes) -> set[int]:
        """The ports of one stream if the URL is its own, else of all streams of the session."""
        ours = [each for each in self._streams if not session or each.session == session]
        gone = [each for each in ours if each.url == url] or ours
        self._streams = [each for each in self._streams if each not in gone]
        return {port for each in gone for port in each.ports} - self._in_use()

    def _in_use(self) -> set[int]:
        """The ports of all streams, and of requests that still wait for their reply."""
        return {port for each in (*self._streams, *self._requests) for port in each.ports}
