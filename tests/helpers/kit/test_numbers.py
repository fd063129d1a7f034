"""Numbers of protocols: decimal, bounded, and never wrapped."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.kit.numbers import MOST_DIGITS, dotted, number, octets, port_number


@given(st.integers(0, 65535), st.integers(0, 10))
def test_leading_zeros_do_not_count(value: int, zeros: int) -> None:
    assert port_number(b"0" * zeros + b"%d" % value) == value


@pytest.mark.parametrize(
    "digits",
    [
        b"",
        b" 1",
        b"1 ",
        b"+1",
        b"-1",
        b"-0",
        b"1_0",
        b"0x1",
        b"1.0",
        b"1\n",
        b"\xb2",
        "\u0661".encode(),
        b"1\x00",
    ],
)
def test_only_digits_are_a_number(digits: bytes) -> None:
    with pytest.raises(NotActedOn, match="malformed"):
        number(digits, 65535)


@pytest.mark.parametrize(
    ("read", "digits"),
    [
        (port_number, b"65536"),
        (port_number, b"4294967376"),
        (lambda digits: number(digits, 0xFFFFFFFF), b"4294967296"),
        (lambda digits: number(digits, 10**30), b"0" * MOST_DIGITS + b"1"),
        (lambda digits: octets([digits]), b"256"),
    ],
)
def test_numbers_do_not_wrap(read: Callable[[bytes], object], digits: bytes) -> None:
    with pytest.raises(NotActedOn, match="malformed"):
        read(digits)


def test_a_long_run_of_digits_is_refused_without_being_converted() -> None:
    """int() raises ValueError at 4300 digits, and takes time that grows with the square of their number."""
    with pytest.raises(NotActedOn, match="malformed"):
        number(b"9" * 100_000, 65535)


@given(st.ip_addresses(v=4))
def test_an_address_is_read_as_it_is_written(address: IPv4Address) -> None:
    assert dotted(str(address).encode()) == address


@pytest.mark.parametrize(
    "text", [b"", b"1.2.3", b"1.2.3.4.5", b"1.2.3.256", b"1..2.3", b"1.2.3.", b"::1", b"1.2.3.a"]
)
def test_an_address_has_four_octets(text: bytes) -> None:
    with pytest.raises(NotActedOn, match="malformed"):
        dotted(text)


def test_octets_with_leading_zeros_are_decimal() -> None:
    """Not octal, as inet_aton reads them."""
    assert dotted(b"192.168.001.010") == IPv4Address("192.168.1.10")
