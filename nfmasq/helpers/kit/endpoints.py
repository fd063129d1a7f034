"""Endpoints as messages write them, and the function that writes another one in the same form.

What stands between the numbers stays as it is. The functions take a match, and where the matched bytes begin
in those that the dialogue was given (`at`). They raise NotActedOn("malformed"): a number is out of range.
"""

import re
from collections.abc import Callable, Container
from ipaddress import IPv4Address
from itertools import pairwise

from nfmasq.helpers.kit import numbers
from nfmasq.helpers.kit.base import Found, Mentioned, Named, NotActedOn, Side

Write = Callable[[IPv4Address, int], bytes]

DOTTED = rb"\d{1,20}(?:\.\d{1,20}){3}"
"""An expression for four numbers with dots; `numbers.dotted` tells whether they are an address."""

_NUMBER = re.compile(rb"\d+")
_LONGEST = IPv4Address("255.255.255.255"), 65535


def address_of(text: bytes) -> IPv4Address:
    """An address with dots, or as one decimal number (IRC)."""
    return numbers.dotted(text) if b"." in text else IPv4Address(numbers.number(text, 0xFFFFFFFF))


def is_one_of(text: bytes, addresses: Container[IPv4Address]) -> bool:
    """Is the text one of these addresses?"""
    try:
        return address_of(text) in addresses
    except NotActedOn:
        return False


def in_numbers(match: re.Match[bytes], at: int) -> Found:
    """The endpoint that six numbers are (FTP's 192,168,1,10,19,136), or four: an address with port 0."""
    octets = numbers.octets(_NUMBER.findall(match[0]))
    address, port = numbers.address(octets[:4]), int.from_bytes(octets[4:])
    return Found(at + match.start(), at + match.end(), address, port, _into_numbers_of(match[0]))


def address_and_port(match: re.Match[bytes], at: int, address: int = 1, port: int = 2) -> Found:
    """The endpoint in two groups of a match, the address before the port."""
    old, between = match[address], match.string[match.end(address) : match.start(port)]

    def write(new: IPv4Address, port: int) -> bytes:
        return b"%s%s%d" % (_as(old, new), between, port)

    start, end = at + match.start(address), at + match.end(port)
    return Found(start, end, address_of(old), numbers.port_number(match[port]), write)


def address_alone(match: re.Match[bytes], at: int, group: int = 1) -> Named:
    """The address in a group of a match."""
    old = match[group]
    start, end = at + match.start(group), at + match.end(group)
    return Named(start, end, address_of(old), lambda new, _: _as(old, new))


def port_alone(match: re.Match[bytes], at: int, group: int = 1) -> Found:
    """The port in a group of a match."""
    start, end = at + match.start(group), at + match.end(group)
    return Found(start, end, None, numbers.port_number(match[group]), lambda _, port: b"%d" % port)


def packed_alone(side: Side, data: bytes, at: int) -> Named | Mentioned:
    """The address in four bytes: the speaker's own or, if the outside speaks, the external one."""
    written = numbers.address(data[at : at + 4])
    if side is Side.INSIDE:
        return Named(at, at + 4, written, _packed)
    return Mentioned(at, at + 4, 0, _packed, written)


def growth(place: Found | Named | Mentioned) -> int:
    """By how many bytes the text of a place may grow."""
    longest = place.write(*_LONGEST) if place.write else b""
    return max(0, len(longest) - (place.end - place.start))


def _packed(address: IPv4Address, _port: int) -> bytes:
    return address.packed


def _as(old: bytes, address: IPv4Address) -> bytes:
    return str(address).encode() if b"." in old else b"%d" % int(address)


def _into_numbers_of(text: bytes) -> Write:
    places = list(_NUMBER.finditer(text))
    between = [*(text[one.end() : other.start()] for one, other in pairwise(places)), b""]

    def write(address: IPv4Address, port: int) -> bytes:
        new = (*address.packed, port >> 8, port & 255)
        return b"".join(b"%d%s" % each for each in zip(new, between, strict=False))

    return write
