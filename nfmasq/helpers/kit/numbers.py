"""Numbers that protocols write in decimal: ports, octets, addresses.

A number is a run of ASCII digits, without a sign; leading zeros are allowed, and do not make it octal. Its
end must have been seen: give these functions a span that something terminates, the line's end or a delimiter.
Digits at the end of the bytes given so far may go on in the next segment. A number that is too long or too
large raises NotActedOn("malformed"): numbers never wrap.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import NotActedOn

MOST_DIGITS = 20
"""Digits of a number, leading zeros included; of octets, in the mean."""
LARGEST_PORT = 65535
MOST_CACHED = 4096
"""Texts of addresses that are remembered; their digits have a bound."""


def number(digits: bytes, most: int) -> int:
    """The value, 0 to `most`. Raises NotActedOn("malformed")."""
    if not digits.isdigit() or len(digits) > MOST_DIGITS:
        raise NotActedOn("malformed")
    value = int(digits)
    if value > most:
        raise NotActedOn("malformed")
    return value


def port_number(digits: bytes) -> int:
    """A port, 0 to 65535. Raises NotActedOn("malformed")."""
    return number(digits, LARGEST_PORT)


def octets(digits: Sequence[bytes]) -> bytes:
    """A byte for each number, which is 0 to 255, in order. Raises NotActedOn("malformed")."""
    together = b"".join(digits)
    if not together.isdigit() or len(together) > MOST_DIGITS * len(digits):
        raise NotActedOn("malformed")
    try:
        return bytes(map(int, digits))
    except ValueError:  # more than 255, or empty
        raise NotActedOn("malformed") from None


@lru_cache(MOST_CACHED)
def dotted(text: bytes) -> IPv4Address:
    """An address written as 192.168.1.10. Raises NotActedOn("malformed"). Cached as `address` is."""
    packed = octets(text.split(b"."))
    if len(packed) != 4:
        raise NotActedOn("malformed")
    return address(packed)


@lru_cache
def written(address: IPv4Address) -> bytes:
    """An address as `dotted` reads it."""
    return str(address).encode()


@lru_cache(MOST_CACHED)
def address(packed: bytes) -> IPv4Address:
    """The address of four bytes, in network order; cached, for a client names its own again and again.

    A session's own addresses are the same objects, and those compare fast.
    """
    return IPv4Address(packed)
