"""How DCC writes endpoints, in one CTCP message of an internal or a remote client: parsed and rendered.

An offer has a kind, a name, an address, a port, and more numbers of its kind. The address is one decimal
number; some programs write it dotted, and it is rendered as it was written. Port 0 is a passive offer, with a
token at its end: nothing is opened, but its address is rewritten. The answer to a passive offer looks like an
offer.

RESUME names the port of the offer as the peer heard it; ACCEPT names it again as the offering client knows
it. The port of a passive offer is 0 and stays.

A name with spaces is in quotes. Where it is not, the endpoint is the one that is the speaker's own.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address
from itertools import islice

from nfmasq.helpers.kit.base import Found, Mentioned, Named, NotActedOn, Session, Side
from nfmasq.helpers.kit.numbers import dotted, number, port_number

_ADDRESS = rb"(\d{1,20}(?:\.\d{1,20}){3}|\d{1,20})"
_NAME = rb"(?:\"[^\"]*\"|[^ \"][^ ]*) +"
_DCC = re.compile(rb"DCC +([A-Za-z]+) +([^ ].*)", re.IGNORECASE | re.DOTALL)
_OFFER = re.compile(rb"[ST]{0,2}(?:SEND|CHAT|RECV)|MOVE")
"""S: over TLS. T: without waiting for acknowledgments. RECV: the offering client receives."""
_ENDPOINT = re.compile(_NAME + _ADDRESS + rb" +(\d{1,20})(?: .*)?", re.DOTALL)
_ENDPOINT_OF_IPV6 = re.compile(_NAME + rb"[\dA-Fa-f.]*:[\dA-Fa-f:.]* +\d+(?: .*)?", re.DOTALL)
_SOMEWHERE = re.compile(rb"(?<= )" + _ADDRESS + rb"(?= +(\d{1,20})(?![^ ]))")
_PORT = re.compile(_NAME + rb"(\d{1,20})(?: +\d{1,20}){0,2} *")
_PORT_AT_THE_END = re.compile(rb"(?<= )(\d{1,20})(?= +\d{1,20}(?: +\d{1,20})? *\Z)")
_SHOWN = re.compile(rb"DCC +[A-Za-z]+ [^\r\n]*\((\d{1,20}(?:\.\d{1,20}){3})\) *", re.IGNORECASE)

PATIENCE_S = 300
"""Seconds: people look at an offer before they accept it."""
MOST_NUMBERS = 64
"""Numbers in a name without quotes among which the endpoint is searched."""

Write = Callable[[IPv4Address, int], bytes]


def message(side: Side, at: int, text: bytes, session: Session) -> Found | Named | Mentioned | None:
    """The endpoint that a CTCP message names, or None. at: its beginning. Raises NotActedOn("malformed")."""
    match = _DCC.fullmatch(text)
    if match is None:
        return None
    kind, begin = match[1].upper(), match.start(2)
    if side is Side.INSIDE and _OFFER.fullmatch(kind):
        return _offer(text, begin, at, session)
    if (side, kind) in {(Side.INSIDE, b"ACCEPT"), (Side.OUTSIDE, b"RESUME")}:
        return _again(side, text, begin, at)
    return None


def shown(at: int, text: bytes) -> Named | None:
    """The address in a line that some programs write about their offer: "DCC Send name (192.168.1.10)"."""
    match = _SHOWN.fullmatch(text)
    if match is None:
        return None
    return Named(at + match.start(1), at + match.end(1), _address(match[1]), _write_dotted)


def _offer(text: bytes, begin: int, at: int, session: Session) -> Found | Named | None:
    match = _endpoint(text, begin, {session.internal[0], session.external[0]})
    if match is None:
        if _ENDPOINT_OF_IPV6.fullmatch(text, begin):
            return None
        raise NotActedOn("malformed")
    address, port = _address(match[1]), port_number(match[2])
    write = _write_dotted if b"." in match[1] else _write_number
    start, end = at + match.start(1), at + match.end(1)
    if port == 0:
        return Named(start, end, address, write)
    between = text[match.end(1) : match.start(2)]
    return Found(
        start, at + match.end(2), address, port, _both(write, between),
        anyone=True, as_seen=True, patience_s=PATIENCE_S,
    )  # fmt: skip


def _endpoint(text: bytes, begin: int, own: set[IPv4Address]) -> re.Match[bytes] | None:
    first = _ENDPOINT.fullmatch(text, begin)
    if first and (text.startswith(b'"', begin) or _is_one_of(own, first[1])):
        return first
    behind_a_word = text.find(b" ", begin)
    others = _SOMEWHERE.finditer(text, behind_a_word) if behind_a_word > 0 else iter(())
    for match in islice(others, MOST_NUMBERS):
        if _is_one_of(own, match[1]):
            return match
    return first


def _again(side: Side, text: bytes, begin: int, at: int) -> Found | Mentioned | None:
    match = _PORT.fullmatch(text, begin) or _port_at_the_end(text, begin)
    if match is None:
        raise NotActedOn("malformed")
    start, end, port = at + match.start(1), at + match.end(1), port_number(match[1])
    if port == 0:
        return None
    if side is Side.OUTSIDE:
        return Mentioned(start, end, port, _write_port)
    return Found(start, end, None, port, _write_port, anyone=True, reuse=True)


def _port_at_the_end(text: bytes, begin: int) -> re.Match[bytes] | None:
    """The port before the position, and, where it is 0, before the token."""
    ends = list(_PORT_AT_THE_END.finditer(text, begin))
    return ends[0] if ends and int(ends[0][1]) == 0 else ends[-1] if ends else None


def _is_one_of(own: set[IPv4Address], text: bytes) -> bool:
    try:
        return _address(text) in own
    except NotActedOn:
        return False


def _address(text: bytes) -> IPv4Address:
    return dotted(text) if b"." in text else IPv4Address(number(text, 0xFFFFFFFF))


def _write_number(address: IPv4Address, _: int) -> bytes:
    return b"%d" % int(address)


def _write_dotted(address: IPv4Address, _: int) -> bytes:
    return str(address).encode()


def _write_port(_: IPv4Address, port: int) -> bytes:
    return b"%d" % port


def _both(write: Write, between: bytes) -> Write:
    return lambda address, port: b"%s%s%d" % (write(address, port), between, port)
