"""A reading that contradicts itself or its bytes is not acted on."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from nfmasq.helpers.engine.checked import NotUnderstood, checked
from nfmasq.helpers.kit.base import MOST_FOUND, Admitted, Apart, Found, Mentioned, Named, Reading, Size

HOST = IPv4Address("192.168.1.10")


def write(*_: object) -> bytes:
    """Anything."""
    return b"x"


class Sly(list[Any]):
    """Iterating it would run a helper's code outside its leash."""


def row(start: int, end: int) -> Found:
    """Two ports, which are written in this span where they lie apart."""
    return Found(0, 2, HOST, 5000, write, consecutive=2, apart=Apart(start, end, write))


GOOD = [
    Reading(10, [row(4, 6), Named(8, 9, HOST, write)], whole=[(0, 10)]),
    Reading(10, [row(2, 4), Found(2, 2, None, 5000, None), Named(4, 9, HOST, write)], whole=[(0, 10)]),
    Reading(10, [row(2, 4), row(6, 7)._replace(start=4, end=5)], whole=[(0, 10)]),
    Reading(10),
    Reading(10, [Found(0, 0, None, 5000, None), Found(0, 2, HOST, 5000, write)]),
    Reading(10, (Named(0, 2, HOST, write), Mentioned(2, 4, 5000, write), Size(5, 6, 6, 10, write))),
    Reading(10, [Size(9, 10, 0, 10, write)]),
    Reading(10, admitted=[Admitted("udp", 5000, HOST)], ended=[("udp", 5000)], hold_s=60),
]
BAD: list[Any] = [
    None,
    Reading(11),
    Reading(-1),
    Reading(10, [Found(0, 2, HOST, 5000, None)]),
    Reading(10, [Found(1, 1, HOST, 5000, write)]),
    Reading(10, [Found(4, 2, HOST, 5000, write)]),
    Reading(10, [Found(0, 11, HOST, 5000, write)]),
    Reading(1, [Found(0, 2, HOST, 5000, write)]),
    Reading(10, [Found(0, 3, HOST, 5000, write), Named(2, 4, HOST, write)]),
    Reading(10, [Size(0, 1, 2, 11, write)]),
    Reading(10, [Size(0, 1, 5, 4, write)]),
    Reading(10, [Size(0, 1, -1, 4, write)]),
    Reading(10, ["place"]),  # type: ignore[list-item]
    Reading(10, Sly()),
    Reading(10, admitted=Sly()),
    Reading(10, ended=Sly()),
    Reading(10, whole=Sly()),
    Reading(10, [row(4, 6)]),
    Reading(10, [row(4, 6)], whole=[(0, 5)]),
    Reading(10, [row(4, 4)], whole=[(0, 10)]),
    Reading(10, [row(4, 6), Named(5, 9, HOST, write)], whole=[(0, 10)]),
    Reading(10, [row(4, 6), row(4, 6)._replace(start=2, end=3)], whole=[(0, 10)]),
    Reading(10, [row(4, 8), Found(5, 5, None, 5000, None)], whole=[(0, 10)]),
    Reading(10, [row(4, 6), Named(4, 6, HOST, write)], whole=[(0, 10)]),
    Reading(10, [row(5, 6), Named(4, 8, HOST, write)], whole=[(0, 10)]),
    Reading(10, whole=[(0, 1)] * (MOST_FOUND + 1)),
    Reading(10, admitted=["host"]),  # type: ignore[list-item]
    Reading(10, [Found(0, 0, None, 5000, None)] * (MOST_FOUND + 1)),
    Reading(10, ended=[("udp", 5000)] * (MOST_FOUND + 1)),
    Reading(10, not_acted_on=["forged"] * (MOST_FOUND + 1)),
]


@pytest.mark.parametrize("reading", GOOD)
def test_a_sound_reading_is_returned(reading: Reading) -> None:
    assert checked(reading, 10) is reading


@pytest.mark.parametrize("reading", BAD)
def test_a_reading_that_cannot_be_is_not_understood(reading: object) -> None:
    with pytest.raises(NotUnderstood):
        checked(reading, 10)
