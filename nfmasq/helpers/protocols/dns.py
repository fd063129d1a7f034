"""DNS (RFC 1035, RFC 2694): addresses that a name server inside gives to the outside.

Over TCP each message has its length before it. An address stands in records A and WKS, and as ipv4hint in
SVCB and HTTPS (RFC 9460). Such records stand in any section, of answers and of zone transfers. 53/udp and
tcp.

Rewritten, where a forward leads to the server: every private address (RFC 1918) and the server's own. Both
become the external address of the session. Where the client is inside, its own address in an update (RFC
2136). Never touched: a message with a signature (RRSIG, SIG, TSIG) or with another record of DNSSEC, and
messages of the same transfer behind it. Not rewritten: names, so no PTR record; IPv6; a message with more
than 256 addresses; the time to live. The outside must not keep answers longer than the external address
lasts.
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import islice

from nfmasq.helpers.kit import records
from nfmasq.helpers.kit.base import MOST_FOUND, Dialogue, Named, Place, Reading, Session, Side
from nfmasq.helpers.kit.endpoints import packed_alone
from nfmasq.helpers.kit.records import Message, Record

A, SOA, WKS, SVCB, HTTPS = 1, 6, 11, 64, 65
SIGNED = {24, 25, 43, 46, 47, 48, 50, 51, 250}
"""SIG, KEY, DS, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM, TSIG."""
KINDS = {A, WKS, SVCB, HTTPS} | SIGNED
UPDATE = 5
GROUPS = {1, 254}
"""The Internet's class, and that of records to be deleted by an update."""
IPV4_HINT = 4
PRIVATE = [IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
MOST_AT_ONCE = 64
"""On TCP, in one reading."""
MOST_TRANSFERS = 64
"""Signed transfers of one session that are remembered."""

_LENGTH = 2
_PARAMETER = struct.Struct("!HH")


class Dns:
    """The helper. It has no options."""

    name = "dns"
    transport = ("udp", "tcp")
    ports: tuple[int, ...] = (53,)
    enabled_by_default = False
    about = "DNS servers inside: private addresses in their answers"
    longest_message = 65536

    examples_from_outside = (
        (Side.OUTSIDE, b"\0\1\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1"),
        (
            Side.INSIDE,
            b"\0\1\x85\0\0\1\0\2\0\0\0\1\3www\7example\0\0\1\0\1"
            b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\xc0\xa8\1\x0a"
            b"\xc0\x0c\0\x41\0\1\0\0\x0e\x10\0\x12\0\1\0\0\1\0\3\2h2\0\4\0\4\xc0\xa8\1\x0a"
            b"\xc0\x10\0\1\0\1\0\0\x0e\x10\0\4\xc6\x33\x64\7",
        ),
    )

    @staticmethod
    def framed(message: bytes) -> bytes:
        """A message as TCP carries it."""
        return len(message).to_bytes(_LENGTH) + message

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a client and a server."""
        return DnsDialogue(session)


class DnsDialogue:
    """A client and a server. Stored: the numbers of transfers that have been signed."""

    def __init__(self, session: Session) -> None:
        self._is_server_inside = not session.inside_began
        self._own = session.internal[0]
        self._is_stream = session.transport == "tcp"
        self._signed: dict[int, None] = {}

    def read(self, side: Side, data: bytes) -> Reading:
        """The addresses in what the inside says."""
        if side is Side.OUTSIDE:
            return Reading(len(data))
        if not self._is_stream:
            found, reasons, leave = self._heard(data, 0, len(data))
            return Reading(len(data), found, leave, reasons)
        at = messages = 0
        places: list[Place] = []
        left_alone: list[str] = []
        while (end := _end(data, at)) <= len(data):
            found, reasons, leave = self._heard(data, at + _LENGTH, end)
            if len(places) + len(found) > MOST_FOUND:
                found, reasons = [], ["too_long"]
            places += found
            left_alone += reasons
            at, messages = end, messages + 1
            if leave or messages > MOST_AT_ONCE:
                return Reading(len(data), places, True, left_alone)
        return Reading(at, places, not_acted_on=left_alone)

    def _heard(self, data: bytes, at: int, end: int) -> tuple[list[Place], list[str], bool]:
        """The places in a message, reasons why it is left alone, and whether the dialogue leaves."""
        try:
            message = records.message(data, at, end, KINDS)
            written = (place for each in message.records for place in self._places(data, each))
            places = list(islice(written, MOST_FOUND + 1))
        except records.Malformed:
            return [], [], not self._is_server_inside
        is_answer = bool(message.flags & records.IS_RESPONSE)
        if not self._is_server_inside and (is_answer or message.operation != UPDATE):
            return [], [], message.questions != [SOA]  # nsupdate asks for the zone before
        if self._is_signed(message):
            return [], ["not_allowed"] if places else [], False
        if len(places) > MOST_FOUND:
            return [], ["too_long"], False
        return places if is_answer or message.operation == UPDATE else [], [], False

    def _is_signed(self, message: Message) -> bool:
        """Has the message a signature, or an earlier one of the same transfer?"""
        if any(each.kind in SIGNED for each in message.records):
            self._signed[message.number] = None
            if len(self._signed) > MOST_TRANSFERS:
                del self._signed[next(iter(self._signed))]
            return True
        return self._is_stream and message.number in self._signed

    def _places(self, data: bytes, record: Record) -> Iterator[Place]:
        """The addresses of a record that the outside must not see."""
        for at in _addresses(data, record):
            place = packed_alone(Side.INSIDE, data, at)
            assert isinstance(place, Named)
            if place.address == self._own:
                yield place
            elif self._is_server_inside and any(place.address in each for each in PRIVATE):
                yield place._replace(hide=True)


def _end(data: bytes, at: int) -> int:
    """Where the message ends that begins there; behind all data where it is not whole."""
    if at + _LENGTH > len(data):
        return len(data) + 1
    return at + _LENGTH + int.from_bytes(data[at : at + _LENGTH])


def _addresses(data: bytes, record: Record) -> Iterator[int]:
    """Where the IPv4 addresses of a record begin. Raises records.Malformed."""
    kind, group, begin, end = record
    if group not in GROUPS:
        return
    if (kind == A and end - begin == 4) or (kind == WKS and end - begin > 4):
        yield begin
    elif kind in {SVCB, HTTPS} and begin < end:
        at = records.behind_name(data, begin + 2, end)
        while at + _PARAMETER.size <= end:
            key, length = _PARAMETER.unpack_from(data, at)
            at += _PARAMETER.size
            if at + length > end:
                raise records.Malformed
            if key == IPV4_HINT:
                yield from range(at, at + length - 3, 4)
            at += length


HELPER = Dns
