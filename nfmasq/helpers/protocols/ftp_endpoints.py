"""How FTP writes endpoints: PORT and 227 (RFC 959), EPRT and 229 (RFC 2428), found and rendered.

Numbers may have leading zeros; they are read as decimal. Each function is given the text and where it begins
in the bytes the dialogue was given. None: there is no endpoint that concerns IPv4. Refusal("malformed"):
there is one, and a number in it is out of range or the text around it is not as it should be.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Found, Refusal

_SIX = rb"(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,10})"
_PORT = re.compile(_SIX)
_PASSIVE = re.compile(rb"(?<![\d,])" + _SIX + rb"(?![\d,])")
_EXTENDED_PASSIVE = re.compile(rb"\(([!-/:-~])\1\1(\d{1,10})\1\)")
_EXTENDED = re.compile(rb"([!-/:-~])(\d{1,10})\1([^ ]{1,64})\1(\d{1,10})\1")
_QUAD = re.compile(rb"(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})")


def port_argument(text: bytes, at: int) -> Found:
    """PORT 192,168,1,10,19,136: `text` is what follows the command, `at` where it begins."""
    match = _PORT.fullmatch(text.rstrip(b" \t"))
    if match is None:
        raise Refusal("malformed")
    return _six_numbers(match, at)


def eprt_argument(text: bytes, at: int) -> Found | None:
    """EPRT |1|192.168.1.10|5000|, with a delimiter of the client's choice; None for other than IPv4."""
    match = _EXTENDED.fullmatch(text.rstrip(b" \t"))
    if match is None:
        raise Refusal("malformed")
    delimiter, protocol, address, port = match.groups()
    if int(protocol) != 1:
        return None
    quad = _QUAD.fullmatch(address)
    if quad is None:
        raise Refusal("malformed")

    def write(address: IPv4Address, port: int) -> bytes:
        return b"%s%s%d" % (str(address).encode(), delimiter, port)

    return Found(at + match.start(3), at + match.end(4), _address(_octets(quad.groups())), _port(port), write)


def passive_reply(line: bytes, at: int) -> Found | None:
    """227 Entering Passive Mode (192,168,1,10,19,136): the first six numbers, whatever is around them."""
    match = _PASSIVE.search(line, 4)
    return match and _six_numbers(match, at)


def extended_passive_reply(line: bytes, at: int) -> Found | None:
    """229 Entering Extended Passive Mode (|||5000|): a port only."""
    match = _EXTENDED_PASSIVE.search(line, 4)
    return match and Found(
        at + match.start(2), at + match.end(2), None, _port(match[2]), lambda _, port: b"%d" % port
    )


def _six_numbers(match: re.Match[bytes], at: int) -> Found:
    numbers = _octets(match.groups())
    address, port = _address(numbers[:4]), numbers[4] << 8 | numbers[5]
    return Found(at + match.start(), at + match.end(), address, port, _write_six_numbers)


def _write_six_numbers(address: IPv4Address, port: int) -> bytes:
    return b"%d,%d,%d,%d,%d,%d" % (*address.packed, port >> 8, port & 255)


@lru_cache
def _address(packed: bytes) -> IPv4Address:
    """Kept, for a client names its own one again and again."""
    return IPv4Address(packed)


def _octets(digits: tuple[bytes, ...]) -> bytes:
    try:
        return bytes(map(int, digits))
    except ValueError:
        raise Refusal("malformed") from None


def _port(digits: bytes) -> int:
    port = int(digits)
    if port > 65535:
        raise Refusal("malformed")
    return port
