"""How FTP writes endpoints: PORT and EPRT of a client, the replies 227 to 229 (RFC 959, 1639, 2428).

Servers write these replies in many forms: in brackets or without, over several lines, with blanks between the
numbers, with dots, with other numbers before. Some answer EPSV by 227, or PASV by 229. Clients search for six
numbers, or for a port between four delimiters, and so does this file.

All raise NotActedOn("malformed") where a number is out of range. at: where the line begins.
"""

import re

from nfmasq.helpers.kit.base import Found, NotActedOn, Session
from nfmasq.helpers.kit.endpoints import DOTTED, address_and_port, in_numbers, port_alone
from nfmasq.helpers.kit.hiding import AND, is_internal, separators, six_numbers_of

CODES = frozenset((b"227", b"228", b"229"))
"""Of 228 only the internal addresses count: it is nothing that clients for IPv4 ask for."""

_N = rb"(\d{1,20})"
_PORT = re.compile(rb"\d{1,10}(?:,\d{1,10}){5}(?=[ \t]*\r?\n)")
_EPRT = re.compile(rb"([!-/:-~])(\d{1,10})\1([^ ]{0,63}[.:][^ ]{0,63})\1(\d{1,10})\1(?=[ \t]*\r?\n)")
_SIX = re.compile(rb"(?<!\d)(?<![\d][.,])" + AND.join([_N] * 6) + rb"(?!\d|,\d)")
_PORT_ONLY = re.compile(rb"([^\w\s.,()])\1\1(\d{1,10})\1|\(([!-/:-~])\3\3(\d{1,10})\3\)")
_WITH_ADDRESS = re.compile(rb"([^\w\s.,()])0{0,9}1\1(%b)\1(\d{1,10})\1" % DOTTED)


def of_command(word: bytes, line: bytes, begin: int, at: int) -> Found | None:
    """The endpoint in a command's argument, which begins at `begin`; None: EPRT names none of IPv4."""
    match = (_PORT if word == b"PORT" else _EPRT).match(line, begin)
    if match is None:
        raise NotActedOn("malformed")
    if word == b"PORT":
        return in_numbers(match, at)
    return address_and_port(match, at, 3, 4) if int(match[2]) == 1 else None


def of_reply(code: bytes, line: bytes, begin: int, at: int, session: Session) -> Found | None:
    """The endpoint in a line of a reply with such a code, or None. begin: where the line's text begins."""
    if code == b"228":
        return None
    search, other = (_six_numbers, _delimited) if code == b"227" else (_delimited, _six_numbers)
    found = search(line, begin, at, session) or other(line, begin, at, session)
    if found is None or found.address is None:
        return found
    return found._replace(as_seen=True, hide=is_internal(found.address, session))


def _six_numbers(line: bytes, begin: int, at: int, session: Session) -> Found | None:
    """The first six numbers that begin with an address of the server's; else those that stand alone."""
    if separators(line, begin) < 5:
        return None
    for address in (session.internal[0], session.external[0]):
        if match := six_numbers_of(address).search(line, begin):
            return in_numbers(match, at)
    match = _SIX.search(line, begin)
    return in_numbers(match, at) if match else None


def _delimited(line: bytes, begin: int, at: int, session: Session) -> Found | None:
    """A port behind three delimiters; or an address and a port, each behind one."""
    if match := _PORT_ONLY.search(line, begin):
        return port_alone(match, at, 2 if match[2] else 4)
    match = _WITH_ADDRESS.search(line, begin)
    return address_and_port(match, at, 2, 3) if match else None
