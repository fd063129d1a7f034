"""Replies in which an FTP server says where it listens: 227 (RFC 959), 228 (RFC 1639) and 229 (RFC 2428).

Servers write them in many forms: in brackets or without, over several lines, with blanks between the numbers,
with dots, with other numbers before. Some answer EPSV by 227, or PASV by 229. Clients search for six numbers,
or for a port between four delimiters, and so does this file.

No internal address is shown, whatever the form: an address that is no part of the endpoint is rewritten too.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

from nfmasq.helpers.kit import numbers
from nfmasq.helpers.kit.base import Found, Named, NotActedOn, Session

CODES = frozenset((b"227", b"228", b"229"))

_N, _AND = rb"(\d{1,20})", rb"[ \t]{0,8}[.,][ \t]{0,8}"
_SIX = re.compile(rb"(?<!\d)(?<![\d][.,])" + _AND.join([_N] * 6) + rb"(?!\d|,\d)")
_PRIVATE = (
    rb"0*(?:10|127)%b\d+|0*192%b0*168|0*172%b0*(?:1[6-9]|2\d|3[01])|0*169%b0*254"
    rb"|0*100%b0*(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])"
) % ((_AND,) * 5)
"""The first two numbers of addresses that mean nothing outside (RFC 1918, 6598, 3927, 1122)."""
_PRIVATE_NETWORKS = [
    IPv4Network(each)
    for each in (
        "10.0.0.0/8",
        "127.0.0.0/8",
        "192.168.0.0/16",
        "172.16.0.0/12",
        "169.254.0.0/16",
        "100.64.0.0/10",
    )
]
_NUMBER = re.compile(rb"\d+")
_PORT_ONLY = re.compile(rb"([^\w\s.,()])\1\1(\d{1,10})\1|\(([!-/:-~])\3\3(\d{1,10})\3\)")
_WITH_ADDRESS = re.compile(rb"([^\w\s.,()])0{0,9}1\1(\d{1,20}(?:\.\d{1,20}){3})\1(\d{1,10})\1")


def endpoint(code: bytes, line: bytes, at: int, session: Session) -> Found | None:
    """The endpoint in a line of such a reply, or None. at: where the line begins.

    Raises NotActedOn("malformed") where a number is out of range.
    """
    if code == b"228":
        return None
    if code == b"227":
        return _six_numbers(line, at, session) or _between_delimiters(line, at, session)
    return _between_delimiters(line, at, session) or _six_numbers(line, at, session)


def internal_addresses(line: bytes, at: int, session: Session, but: Found | None) -> Iterator[Named]:
    """The internal addresses in a line of such a reply, outside the endpoint `but`."""
    for match in _internal(session.internal[0]).finditer(line, _begin(line)):
        start, end = at + match.start(), at + match.end()
        address = _address(match[0])
        if address is None or not is_internal(address, session):
            continue
        if but is None or end <= but.start or but.end <= start:
            yield Named(start, end, address, _rewriting(match[0]), hide=True)


def is_internal(address: IPv4Address, session: Session) -> bool:
    """Is the address the internal host's own, or one that means nothing outside?"""
    if address == session.internal[0]:
        return True
    return address != session.external[0] and any(address in network for network in _PRIVATE_NETWORKS)


def _six_numbers(line: bytes, at: int, session: Session) -> Found | None:
    """The first six numbers that begin with an address of the server's; else those that stand alone."""
    begin = _begin(line)
    match = (
        _six_of(session.internal[0]).search(line, begin)
        or _six_of(session.external[0]).search(line, begin)
        or _SIX.search(line, begin)
    )
    if match is None:
        return None
    octets = numbers.octets(_NUMBER.findall(match[0]))
    address, port = numbers.address(octets[:4]), octets[4] << 8 | octets[5]
    hide = is_internal(address, session)
    write = _rewriting(match[0])
    return Found(at + match.start(), at + match.end(), address, port, write, as_seen=True, hide=hide)


def _between_delimiters(line: bytes, at: int, session: Session) -> Found | None:
    """A port behind three delimiters; or an address and a port, each behind one."""
    begin = _begin(line)
    if match := _PORT_ONLY.search(line, begin):
        group = 2 if match[2] else 4
        port = numbers.port_number(match[group])
        return Found(at + match.start(group), at + match.end(group), None, port, lambda _, port: b"%d" % port)
    if match := _WITH_ADDRESS.search(line, begin):
        address, port, delimiter = numbers.dotted(match[2]), numbers.port_number(match[3]), match[1]

        def write(address: IPv4Address, port: int) -> bytes:
            return b"%s%s%d" % (str(address).encode(), delimiter, port)

        hide = is_internal(address, session)
        return Found(at + match.start(2), at + match.end(3), address, port, write, as_seen=True, hide=hide)
    return None


Write = Callable[[IPv4Address, int], bytes]


def _rewriting(text: bytes) -> Write:
    """Writes other numbers into a text of four or six, with what stands between them."""
    places = list(_NUMBER.finditer(text))
    between = [*(text[one.end() : other.start()] for one, other in pairwise(places)), b""]

    def write(address: IPv4Address, port: int) -> bytes:
        new = (*address.packed, port >> 8, port & 255)
        return b"".join(b"%d%s" % each for each in zip(new, between, strict=False))

    return write


def _begin(line: bytes) -> int:
    """Where the text begins: behind the code, if the line has one."""
    return 4 if line[:3] in CODES else 0


def _address(text: bytes) -> IPv4Address | None:
    try:
        return numbers.address(numbers.octets(_NUMBER.findall(text)))
    except NotActedOn:
        return None


def _written(address: IPv4Address) -> bytes:
    """An expression for the address with commas or dots, and zeros before its numbers."""
    return _AND.join(rb"0{0,16}%d" % octet for octet in address.packed)


@lru_cache
def _six_of(address: IPv4Address) -> re.Pattern[bytes]:
    return re.compile(rb"(?<!\d)" + _written(address) + _AND + _N + _AND + _N)


@lru_cache
def _internal(own: IPv4Address) -> re.Pattern[bytes]:
    private = rb"(?:%b)%b\d+%b\d+" % (_PRIVATE, _AND, _AND)
    return re.compile(rb"(?<!\d)(?:%b|%b)(?!\d)" % (_written(own), private))
