"""Internal addresses in the free text of a message, which must not be seen outside."""

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from nfmasq.helpers.kit.base import Found, Named, NotActedOn, Session
from nfmasq.helpers.kit.endpoints import in_numbers

AND = rb"[ \t]{0,8}[.,][ \t]{0,8}"
"""An expression for what stands between the numbers of an address."""

_PRIVATE = (
    rb"0*(?=1)(?:10%b\d+|127%b\d+|192%b0*168|172%b0*(?:1[6-9]|2\d|3[01])|169%b0*254"
    rb"|100%b0*(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))"
) % ((AND,) * 6)
"""The first two numbers of addresses that mean nothing outside (RFC 1918, 6598, 3927, 1122)."""
_PRIVATE_NETWORKS = [
    IPv4Network(each)
    for each in (
        "10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "169.254.0.0/16", "100.64.0.0/10",
    )
]  # fmt: skip


def internal_addresses(
    line: bytes, begin: int, at: int, session: Session, but: Found | None = None
) -> Iterator[Named]:
    """The internal addresses in a line from `begin` on, outside the endpoint `but`. at: of the line."""
    if separators(line, begin) < 3:
        return
    for match in _internal(session.internal[0]).finditer(line, begin):
        try:
            seen = in_numbers(match, at)
        except NotActedOn:
            continue
        is_apart = but is None or seen.end <= but.start or but.end <= seen.start
        if is_apart and seen.address and seen.write and is_internal(seen.address, session):
            yield Named(seen.start, seen.end, seen.address, seen.write, hide=True)


def is_internal(address: IPv4Address, session: Session) -> bool:
    """Is the address the internal host's own, or one that means nothing outside?"""
    if address == session.internal[0]:
        return True
    return address != session.external[0] and any(address in network for network in _PRIVATE_NETWORKS)


def separators(line: bytes, begin: int) -> int:
    """How many numbers of an address may end in a line from `begin` on: cheaper than a search."""
    return line.count(b".", begin) + line.count(b",", begin)


def shape_of(address: IPv4Address) -> bytes:
    """An expression for the address with commas or dots, and zeros before its numbers."""
    return AND.join(rb"0{0,16}%d" % octet for octet in address.packed)


@lru_cache
def six_numbers_of(address: IPv4Address) -> re.Pattern[bytes]:
    """An expression for six numbers that begin with this address: two more follow, each a group."""
    return re.compile(rb"(?<!\d)" + AND.join([shape_of(address), *[rb"(\d{1,20})"] * 2]))


@lru_cache
def _internal(own: IPv4Address) -> re.Pattern[bytes]:
    private = rb"(?:%b)%b\d+%b\d+" % (_PRIVATE, AND, AND)
    return re.compile(rb"(?=\d)(?<!\d)(?:%b|%b)(?!\d)" % (shape_of(own), private))
