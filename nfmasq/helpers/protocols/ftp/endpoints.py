"""How an FTP client writes an endpoint: PORT (RFC 959) and EPRT (RFC 2428), parsed and rendered.

Each function takes the text, and where it begins in the bytes that the dialogue was given. It returns None
where there is no IPv4 endpoint. It raises NotActedOn("malformed") where a number is out of range, or the text
around the numbers is wrong.
"""

import re
from ipaddress import IPv4Address

from nfmasq.helpers.kit import numbers
from nfmasq.helpers.kit.base import Found, NotActedOn

_SIX = rb"(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,10}),(\d{1,10})"
_PORT = re.compile(_SIX)
_EXTENDED = re.compile(rb"([!-/:-~])(\d{1,10})\1([^ ]{1,64})\1(\d{1,10})\1")


def port_argument(text: bytes, at: int) -> Found:
    """PORT 192,168,1,10,19,136: `text` is the command's argument."""
    match = _PORT.fullmatch(text.rstrip(b" \t"))
    if match is None:
        raise NotActedOn("malformed")
    return _six_numbers(match, at)


def eprt_argument(text: bytes, at: int) -> Found | None:
    """EPRT |1|192.168.1.10|5000|, with a delimiter of the client's choice; None for IPv6."""
    match = _EXTENDED.fullmatch(text.rstrip(b" \t"))
    if match is None:
        raise NotActedOn("malformed")
    delimiter, protocol, address, port = match.groups()
    if int(protocol) != 1:
        return None
    found, found_port = numbers.dotted(address), numbers.port_number(port)

    def write(address: IPv4Address, port: int) -> bytes:
        return b"%s%s%d" % (str(address).encode(), delimiter, port)

    return Found(at + match.start(3), at + match.end(4), found, found_port, write)


def _six_numbers(match: re.Match[bytes], at: int) -> Found:
    octets = numbers.octets(match.groups())
    address, port = numbers.address(octets[:4]), octets[4] << 8 | octets[5]
    return Found(at + match.start(), at + match.end(), address, port, _write_six_numbers)


def _write_six_numbers(address: IPv4Address, port: int) -> bytes:
    return b"%d,%d,%d,%d,%d,%d" % (*address.packed, port >> 8, port & 255)
