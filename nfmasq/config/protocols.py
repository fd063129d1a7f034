"""How IP protocols are written: a name, or a number where there is no name."""

from typing import Any

from nfmasq.config.errors import did_you_mean, quoted
from nfmasq.config.values import described
from nfmasq.core.policy import ANY_PROTOCOL

PROTOCOL_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ipip": 4, "sctp": 132}
"""Names taken and given for IP protocol numbers; any other protocol is its number."""

ANY = "any"
BOTH = "tcp+udp"
BY_PORT = ("tcp", "udp", BOTH)
"""What can be forwarded port by port: the core knows the ports of no other protocol."""

LAST_PROTOCOL = 255
_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}
_WORDS = (*BY_PORT, ANY, *(name for name in PROTOCOL_NUMBERS if name not in BY_PORT))


def protocol(value: Any) -> str:
    """The protocols a forward is for, in the one way nfmasq writes them: 47, "47" and "gre" are "gre"."""
    if isinstance(value, str) and value in _WORDS:
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 3:
        value = int(value)
    choice = f"{', '.join(map(quoted, _WORDS))}, or a number from 1 to {LAST_PROTOCOL}"
    if isinstance(value, str):
        near = did_you_mean(value, _WORDS) or f"; there are {choice}"
        raise ValueError(f"no such protocol: {quoted(value)}{near}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be one of {choice}, not {described(value)}")
    if not 1 <= value <= LAST_PROTOCOL:
        raise ValueError(
            f"must be 1 to {LAST_PROTOCOL}, not {described(value)}; for all of them write {quoted(ANY)}"
        )
    return _NAMES.get(value, str(value))


def numbers_of(word: str) -> tuple[int, ...]:
    """The IP protocol numbers of what `protocol` gave; ANY_PROTOCOL for "any"."""
    if word == ANY:
        return (ANY_PROTOCOL,)
    return tuple(PROTOCOL_NUMBERS.get(name) or int(name) for name in word.split("+"))


def protocol_name(number: int) -> str:
    """ "tcp" for 6, and the number itself where there is no name."""
    return _NAMES.get(number, str(number))
