"""Words and texts of RPC (RFC 4506), and universal addresses (RFC 5665 section 5.2.3.3)."""

from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.kit.numbers import address, octets

_MOST_AUTHENTICATION = 400
_ANYWHERE = IPv4Address(0)


class Malformed(Exception):
    """This is no RPC."""


class Written(NamedTuple):
    """A text of a message, its length before it and the zeros behind it included."""

    begin: int
    end: int
    value: bytes


class Universal(NamedTuple):
    """A universal address. address: None where the program waits at any."""

    address: IPv4Address | None
    port: int


class Words:
    """Reads the words and texts of a message (RFC 4506) from `at` to `end`. All methods raise Malformed."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data = data
        self.at = at
        self._end = end

    def word(self) -> int:
        """The next number of 32 bits."""
        self._skip(4)
        return int.from_bytes(self._data[self.at - 4 : self.at])

    def text(self) -> Written:
        """The next text, with its length and what fills it up to a word."""
        begin, length = self.at, self.word()
        self._skip(length + -length % 4)
        return Written(begin, self.at, self._data[begin + 4 : begin + 4 + length])

    def skip_authentication(self) -> None:
        """Pass over a credential or a verifier."""
        self.word()
        length = self.word()
        if length > _MOST_AUTHENTICATION:
            raise Malformed
        self._skip(length + -length % 4)

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > self._end:
            raise Malformed


def universal(written: Written) -> Universal | None:
    """The endpoint of IPv4 that a text is. Raises NotActedOn("malformed")."""
    numbers = written.value.split(b".", 6)
    if len(numbers) != 6 or b":" in written.value:
        return None
    packed = octets(numbers)
    host = address(packed[:4])
    return Universal(None if host == _ANYWHERE else host, int.from_bytes(packed[4:]))


def write_universal(host: bytes, address: IPv4Address, port: int) -> bytes:
    """The text for an endpoint. host: written in place of the address, unless it is empty."""
    text = b"%s.%d.%d" % (host or str(address).encode(), port >> 8, port & 255)
    return len(text).to_bytes(4) + text + bytes(-len(text) % 4)


def write_port(_address: IPv4Address, port: int) -> bytes:
    """A port in a word."""
    return port.to_bytes(4)
