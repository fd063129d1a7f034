"""Calls of the port mapper and their replies, over UDP and in records over TCP."""

from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address
from itertools import islice
from typing import NamedTuple

from nfmasq.helpers.kit.base import (
    MOST_FOUND,
    Found,
    Mentioned,
    Named,
    NotActedOn,
    Place,
    Reading,
    Session,
    Side,
    Size,
)
from nfmasq.helpers.kit.endpoints import Write
from nfmasq.helpers.kit.pairing import ByNumber
from nfmasq.helpers.protocols.portmap.words import (
    Malformed,
    Words,
    Written,
    universal,
    write_port,
    write_universal,
)

PROGRAM = 100000
GETPORT, DUMP, CALLIT, GETVERSADDR, INDIRECT, GETADDRLIST = 3, 4, 5, 9, 10, 11
GETADDR = GETPORT
TRANSPORTS = {6: "tcp", 17: "udp"}
LONGEST = 65000
"""Bytes of a record that is read; one that is longer passes."""
MOST_RPC_RECORDS = 64
"""Of one side, in one reading."""
MOST_PROGRAMS = 200
"""Rows of a list."""
LARGEST_PORT = 65535

_MARK, _LAST = 4, 0x80000000
_CALL, _REPLY, _RPC_VERSION = 0, 1, 2


class Call(NamedTuple):
    """A call of the port mapper. asked: the transport of the program that GETPORT asks for."""

    version: int
    procedure: int
    asked: str


class PortmapDialogue:
    """A caller and a server. Stored: calls without a reply, and bytes of each side that are still to pass."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._calls = ByNumber[Call]()
        self._passing = dict.fromkeys(Side, 0)

    def read(self, side: Side, data: bytes) -> Reading:
        """The endpoints in replies, and the server's own in calls."""
        if self._session.inside_began:
            return Reading(len(data), leave=True)
        if self._session.transport == "udp":
            try:
                places = list(islice(self._heard(side, data, 0, len(data)), MOST_FOUND))
            except Malformed:
                return Reading(len(data))
            except NotActedOn as why:
                return Reading(len(data), not_acted_on=[str(why)])
            return Reading(len(data), places)
        return self._read_stream(side, data)

    def _read_stream(self, side: Side, data: bytes) -> Reading:
        found: list[Place] = []
        left_alone: list[str] = []
        at = min(self._passing[side], len(data))
        self._passing[side] -= at
        for nth in range(MOST_RPC_RECORDS + 1):
            if len(data) - at < _MARK:
                break
            head = int.from_bytes(data[at : at + _MARK])
            begin, length = at + _MARK, head & ~_LAST
            end = begin + length
            if not head & _LAST or length > LONGEST:
                self._passing[side] = max(0, end - len(data))
                at = min(end, len(data))
                continue
            if end > len(data):
                break
            try:
                places = list(islice(self._heard(side, data, begin, end), MOST_FOUND))
                if len(found) + len(places) >= MOST_FOUND or nth == MOST_RPC_RECORDS:
                    raise Malformed
            except Malformed:
                return Reading(len(data), found, True, left_alone)
            except NotActedOn as why:
                places = []
                left_alone.append(str(why))
            if places:
                found += [Size(at, begin, begin, end, mark), *places]
            at = end
        return Reading(at, found, not_acted_on=left_alone)

    def _heard(self, side: Side, data: bytes, at: int, end: int) -> Iterator[Place]:
        """The places in a message. Raises Malformed, NotActedOn."""
        message = Words(data, at, end)
        number = data[at : at + 4]
        message.word()
        kind = message.word()
        if (side, kind) == (Side.OUTSIDE, _CALL):
            yield from self._call(number, message)
        elif (side, kind) == (Side.INSIDE, _REPLY):
            yield from self._reply(number, message)
        else:
            raise Malformed

    def _call(self, number: bytes, message: Words) -> Iterator[Place]:
        rpc, program, version, procedure = (message.word() for _ in range(4))
        if (rpc, program) != (_RPC_VERSION, PROGRAM):
            raise Malformed
        message.skip_authentication()
        message.skip_authentication()
        asked = ""
        if (version, procedure) == (2, GETPORT):
            message.word(), message.word()
            asked = TRANSPORTS.get(message.word(), "")
        elif version in {3, 4} and procedure in {GETADDR, GETVERSADDR, GETADDRLIST}:
            message.word(), message.word(), message.text()
            named = message.text()
            if (place := universal(named)) is not None and place.address is not None:
                write = partial(write_universal, b"")
                yield Mentioned(named.begin, named.end, place.port, write, place.address)
        self._calls.add(number, Call(version, procedure, asked))

    def _reply(self, number: bytes, message: Words) -> Iterator[Place]:
        call = self._calls.answered(number)
        if call is None or message.word():
            return
        message.skip_authentication()
        if message.word():
            return
        if call.version == 2:
            yield from self._of_version_2(call, message)
        elif call.version in {3, 4}:
            yield from self._of_version_4(call, message)

    def _of_version_2(self, call: Call, message: Words) -> Iterator[Place]:
        if call.procedure == GETPORT:
            yield from self._port(message, call.asked)
        elif call.procedure == CALLIT:
            yield from self._port(message, "udp")
        elif call.procedure == DUMP:
            for _ in _rows(message):
                message.word(), message.word()
                yield from self._port(message, TRANSPORTS.get(message.word(), ""))

    def _of_version_4(self, call: Call, message: Words) -> Iterator[Place]:
        own = self._session.transport
        if call.procedure in {GETADDR, CALLIT, GETVERSADDR, INDIRECT}:
            yield from self._address(message.text(), own)
        elif call.procedure == DUMP:
            for _ in _rows(message):
                message.word(), message.word()
                network = message.text().value
                yield from self._address(message.text(), network.decode("latin-1"))
                message.text()
        elif call.procedure == GETADDRLIST:
            for _ in _rows(message):
                written = message.text()
                message.text(), message.word(), message.text()
                yield from self._address(written, message.text().value.decode("latin-1"))

    def _port(self, message: Words, transport: str) -> Iterator[Place]:
        port = message.word()
        if port > LARGEST_PORT:
            raise NotActedOn("malformed")
        yield from self._place(Written(message.at - 4, message.at, b""), None, port, transport, write_port)

    def _address(self, written: Written, transport: str) -> Iterator[Place]:
        place = universal(written)
        if place is not None:
            host = b"" if place.address is not None else written.value.rsplit(b".", 2)[0]
            write = partial(write_universal, host)
            yield from self._place(written, place.address, place.port, transport, write)

    def _place(
        self, span: Written, host: IPv4Address | None, port: int, transport: str, write: Write
    ) -> Iterator[Place]:
        """An endpoint of the server: the one of this session, or one that is announced."""
        if port == self._session.internal[1]:
            yield Named(span.begin, span.end, host or self._session.internal[0], write, port=port)
        elif port and transport in TRANSPORTS.values():
            yield Found(span.begin, span.end, host, port, write, transport)


def _rows(message: Words) -> Iterator[None]:
    """Once for each row of a list. Raises Malformed for too many."""
    for _ in range(MOST_PROGRAMS):
        if not message.word():
            return
        yield
    raise Malformed


def mark(length: int) -> bytes:
    """What stands before a record that is one fragment."""
    return (length | _LAST).to_bytes(_MARK)
