"""Endpoints in SIP's headers: URIs, lists of contacts, and the topmost Via (RFC 3261 sections 19.1, 20).

Nothing is stored but the entries of the last values. Spans count from the same bytes as those of the value
that is read. Each search goes once through its value, and none goes back.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address
from itertools import chain
from typing import NamedTuple

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.kit.numbers import dotted, port_number
from nfmasq.helpers.protocols.sip.message import Value

SIP_PORT, SIPS_PORT = 5060, 5061
MOST_ENTRIES = 32
"""Entries of a list; a message with a longer one is left alone."""
MOST_LISTS_KEPT = 4
"""Lists of which the entries are remembered."""

_DOTTED = re.compile(rb"\d+\.\d+\.\d+\.\d+")
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*("?)|<[^<>]*(>?)|(,)|[^",<]+', re.S)
_ONLY = re.compile(rb'[^<>",]*<([^<>]*)>([^<>",]*)')
"""A list of one entry, without quotes: nearly all are."""
_URI = re.compile(rb"(?i:(sips?)):(?:([^@>\s?]*)@)?(\[[^\]]*\]|[^:;?@>\s\[\]]+)(?::(\d+))?([;?][^@>\s]*)?")
"""Where `?` stands before `@`, readers do not agree on what the host is: such a URI is none that is known."""
_VIA = re.compile(
    rb"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z]+)[ \t]+(\[[^\]]*\]|[^\s:;,\[\]]+)(?:[ \t]*:[ \t]*(\d+))?"
    rb'[ \t]*((?:;[^,;"]*(?:"(?:[^"\\]|\\.)*"[^,;"]*)?)*)',
    re.I | re.S,
)
_PLAIN_PARAMETER = re.compile(rb";[ \t]*(rport|received|maddr)[ \t]*(?:=[ \t]*([^;,\s]+))?(?![^;,\s])", re.I)
_PARAMETER = re.compile(rb'"(?:[^"\\]|\\.)*"|' + _PLAIN_PARAMETER.pattern, re.I | re.S)
"""With quotes, in which nothing is a parameter: few have them, and they take longer to search."""
_NAME = re.compile(rb';[ \t]*([^;=,\s"]+)[ \t]*(?:=[ \t]*("(?:[^"\\]|\\.)*"|[^;,\s"]*))?', re.S)


class Host(NamedTuple):
    """Where a host and its port stand. address: None where a name is written. port: the default, if none is.

    start, end: the span of host and port. has_port: is a port written?
    """

    start: int
    end: int
    address: IPv4Address | None
    port: int
    has_port: bool


class Uri(NamedTuple):
    """A SIP URI. user: as it is written; b"" where there is none. parameters: by lower-case name.

    transport: the one it asks for, in lower case; "tls" of sips; "" where it says nothing.
    """

    host: Host
    user: bytes
    parameters: dict[bytes, bytes]
    transport: str


class Entry(NamedTuple):
    """An entry of Contact, Route or Record-Route. uri: None for `*` and for URIs other than SIP's.

    parameters: those behind the URI, by lower-case name.
    """

    uri: Uri | None
    parameters: dict[bytes, bytes]


class Via(NamedTuple):
    """The topmost Via. received, maddr: spans and addresses. rport: its span and port; empty where it asks.

    asks_rport: does it have the parameter at all (RFC 3581)?
    """

    host: Host
    asks_rport: bool
    rport: tuple[int, int, int] | None
    received: tuple[int, int, IPv4Address] | None
    maddr: tuple[int, int, IPv4Address] | None


@lru_cache(MOST_LISTS_KEPT)
def entries(value: Value) -> tuple[Entry, ...]:
    """The entries of a value, in order; a contact's are asked for twice. Raises NotActedOn("malformed")."""
    only = _ONLY.fullmatch(value.text)
    if only is not None:
        return (_entry(value.text, value.start, only.span(1), only[2]),)
    return tuple(_of_list(value))


def _of_list(value: Value) -> Iterator[Entry]:
    text, begin, uri, behind, count = value.text, 0, (0, 0), 0, 0
    for token in chain(_TOKENS.finditer(text), (None,)):
        if token is not None and not token[3]:
            if b"" in {token[1], token[2]}:
                raise NotActedOn("malformed")
            if token[2] and not behind:
                uri, behind = (token.start() + 1, token.end() - 1), token.end()
            continue
        end = len(text) if token is None else token.start()
        count += 1
        if count > MOST_ENTRIES:
            raise NotActedOn("malformed")
        if not behind:
            bare = text[begin:end]
            stop = bare.find(b";")
            behind = begin + stop if stop >= 0 else end
            uri = begin + len(bare) - len(bare.lstrip()), behind
        yield _entry(text, value.start, uri, text[behind:end])
        begin, behind = end + 1, 0


def read_uri(data: bytes, start: int, end: int, offset: int = 0) -> Uri | None:
    """The SIP URI with this span; None: it is another one.

    offset: where the bytes begin. Raises NotActedOn("malformed").
    """
    match = _URI.fullmatch(data, start, end)
    if match is None:
        return None
    is_sips = match[1].lower() == b"sips"
    parameters = _parameters((match[5] or b"").partition(b"?")[0])
    transport = "tls" if is_sips else parameters.get(b"transport", b"").lower().decode("ascii", "replace")
    host = _host(match, 3, 4, SIPS_PORT if is_sips else SIP_PORT, offset)
    return Uri(host, match[2] or b"", parameters, transport)


def topmost(value: Value) -> Via:
    """The first Via of a value. Raises NotActedOn("malformed")."""
    match = _VIA.match(value.text)
    if match is None or value.text[match.end() :].lstrip()[:1] not in {b"", b","}:
        raise NotActedOn("malformed")
    asks, rport, received, maddr = False, None, None, None
    default = SIPS_PORT if match[1].upper() == b"TLS" else SIP_PORT
    host = _host(match, 2, 3, default, value.start)
    parameter = _PARAMETER if b'"' in value.text else _PLAIN_PARAMETER
    for each in parameter.finditer(value.text, *match.span(4)):
        if each[1] is None:
            continue
        name, text = each[1].lower(), each[2]
        span = value.start + each.start(2), value.start + each.end(2)
        if name == b"rport":
            asks = True
            rport = (*span, port_number(text)) if text else None
        elif text and (address := _address_of(text)) is not None:
            if name == b"received":
                received = (*span, address)
            else:
                maddr = (*span, address)
    return Via(host, asks, rport, received, maddr)


def _entry(text: bytes, offset: int, uri: tuple[int, int], behind: bytes) -> Entry:
    return Entry(read_uri(text, uri[0], len(text[: uri[1]].rstrip()), offset), _parameters(behind))


def _host(match: re.Match[bytes], host: int, port: int, default: int, offset: int) -> Host:
    name, digits = match.group(host, port)
    start, end = match.span(host)
    address = _address_of(name)
    if digits is None:
        return Host(offset + start, offset + end, address, default, has_port=False)
    return Host(offset + start, offset + match.end(port), address, port_number(digits), has_port=True)


def _address_of(text: bytes) -> IPv4Address | None:
    """The address that is written; None: it is a name. Raises NotActedOn("malformed")."""
    return dotted(text) if _DOTTED.fullmatch(text) else None


@lru_cache
def written(address: IPv4Address) -> bytes:
    """An address as it is written."""
    return str(address).encode()


def _parameters(text: bytes) -> dict[bytes, bytes]:
    return {each[1].lower(): each[2] or b"" for each in _NAME.finditer(text)} if text else {}
