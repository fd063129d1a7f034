"""Words and texts of RPC, and universal addresses."""

from ipaddress import IPv4Address

import pytest

from helpers.protocols.portmap.calls import text, words
from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.protocols.portmap.words import (
    Malformed,
    Universal,
    Words,
    Written,
    universal,
    write_universal,
)


def test_words_and_texts_one_after_the_other() -> None:
    data = b"?" + words(7) + text(b"") + text(b"abcde") + words(8)
    read = Words(data, 1, len(data))
    assert read.word() == 7
    assert read.text() == Written(5, 9, b"")
    assert read.text() == Written(9, 21, b"abcde")
    assert (read.word(), read.at) == (8, len(data))


@pytest.mark.parametrize("data", [b"", b"\0\0\0", words(1), text(b"abcde")[:-1], words(0xFFFFFFFF)])
def test_a_text_that_does_not_end(data: bytes) -> None:
    with pytest.raises(Malformed):
        Words(data, 0, len(data)).text()


@pytest.mark.parametrize("size", [0, 1, 4, 399, 400])
def test_authentication_is_passed_over(size: int) -> None:
    data = words(6) + text(b"x" * size) + words(9)
    read = Words(data, 0, len(data))
    read.skip_authentication()
    assert read.word() == 9


def test_authentication_has_400_bytes_at_most() -> None:
    data = words(6) + text(b"x" * 401)
    with pytest.raises(Malformed):
        Words(data, 0, len(data)).skip_authentication()


@pytest.mark.parametrize(
    ("value", "endpoint"),
    [
        (b"192.168.1.10.8.1", Universal(IPv4Address("192.168.1.10"), 2049)),
        (b"0.0.0.0.0.111", Universal(None, 111)),
        (b"255.255.255.255.255.255", Universal(IPv4Address("255.255.255.255"), 65535)),
        (b"", None),
        (b"::.8.1", None),
        (b"::ffff:192.168.1.10.8.1", None),
        (b"192.168.1.10.1", None),
        (b"1.2.3.4.5.6.7", None),
        (b"/run/rpcbind.sock", None),
    ],
)
def test_universal_addresses(value: bytes, endpoint: Universal | None) -> None:
    assert universal(Written(0, 0, value)) == endpoint


@pytest.mark.parametrize(
    "value", [b"1.2.3.4.5.256", b"a.b.c.d.e.f", b"1.2.3..4.5", b"1.2.3.4.5.6 ", b"+1.2.3.4.5.6"]
)
def test_numbers_that_are_none(value: bytes) -> None:
    with pytest.raises(NotActedOn):
        universal(Written(0, 0, value))


@pytest.mark.parametrize("port", [1024, 1, 65535])
@pytest.mark.parametrize("address", ["9.0.0.1", "198.51.100.254"])
def test_what_is_written_is_read(address: str, port: int) -> None:
    data = write_universal(b"", IPv4Address(address), port)
    assert universal(Words(data, 0, len(data)).text()) == Universal(IPv4Address(address), port)
    kept = write_universal(b"0.0.0.0", IPv4Address(address), port)
    assert universal(Words(kept, 0, len(kept)).text()) == Universal(None, port)
