"""Internal addresses in free text are found in every form, and public ones are not."""

from ipaddress import IPv4Address

import pytest

from nfmasq.helpers.kit.base import Found, Session
from nfmasq.helpers.kit.hiding import internal_addresses, is_internal

OWN, EXTERNAL = IPv4Address("100.99.1.10"), IPv4Address("10.9.9.9")
"""The external address is private, too: there is another NAT outside."""
SESSION = Session((OWN, 21), (EXTERNAL, 21), (IPv4Address("198.51.100.1"), 4000), False)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        (b"at 100.99.1.10, port 5", [b"100.99.1.10"]),
        (b"(10,0,0,1,19,136) or 172.16.3.4", [b"10,0,0,1", b"172.16.3.4"]),
        (b"127 . 0 . 0 . 1 and 169.254.1.1", [b"127 . 0 . 0 . 1", b"169.254.1.1"]),
        (b"192,168,001,010", [b"192,168,001,010"]),
        (b"10.9.9.9 and 9.9.9.9 and 172.15.1.1 and 172.32.1.1", []),
        (b"10.300.1.1 and 110.1.1.1 and 10.1.1", []),
    ],
)
def test_what_is_hidden(line: bytes, texts: list[bytes]) -> None:
    found = list(internal_addresses(line, 0, 50, SESSION))
    assert [line[each.start - 50 : each.end - 50] for each in found] == texts
    assert all(each.hide and is_internal(each.address, SESSION) for each in found)


def test_what_is_part_of_the_endpoint_or_before_the_text_is_left() -> None:
    line = b"10.1.1.1 10.2.2.2 10.3.3.3"
    but = Found(9, 17, None, 5000, None)
    assert [each.start for each in internal_addresses(line, 0, 0, SESSION, but)] == [0, 18]
    assert [each.start for each in internal_addresses(line, 8, 0, SESSION)] == [9, 18]


def test_whose_address_is_internal() -> None:
    assert is_internal(OWN, SESSION)
    assert not is_internal(EXTERNAL, SESSION)
