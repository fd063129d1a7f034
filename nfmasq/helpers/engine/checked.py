"""Readings are checked here before anything is made of them: a reading is trusted as little as a packet."""

from collections.abc import Iterable
from itertools import pairwise

from nfmasq.helpers.kit.base import MOST_FOUND, Admitted, Apart, Found, Mentioned, Named, Reading, Size

_PLACES = Found, Named, Mentioned, Size
_SEQUENCES = {list, tuple}
"""No types that only resemble them: iterating those would run the helper's code outside its leash."""


class NotUnderstood(Exception):
    """A reading that contradicts itself, or the bytes that were read."""


def checked(reading: object, length: int) -> Reading:
    """The reading, if it is a valid one of `length` bytes. Raises NotUnderstood."""
    if not isinstance(reading, Reading) or not 0 <= reading.taken <= length:
        raise NotUnderstood("it took more than it was given, or gave no Reading")
    lists = reading.found, reading.not_acted_on, reading.admitted, reading.ended, reading.whole
    if not {type(each) for each in lists} <= _SEQUENCES:
        raise NotUnderstood(
            "what it found, left alone, admitted, ended and holds together must be in lists or tuples"
        )
    if max(map(len, (reading.found, reading.admitted, reading.ended, reading.whole))) > MOST_FOUND:
        raise NotUnderstood(
            f"it found, admitted, ended or holds together more than {MOST_FOUND} endpoints in one reading"
        )
    if len(reading.not_acted_on) > max(MOST_FOUND, length):
        raise NotUnderstood("it left alone more messages than there are bytes")
    if not all(isinstance(each, Admitted) for each in reading.admitted):
        raise NotUnderstood("it admitted something that is no Admitted")
    _require_order(reading.found, reading.taken)
    _require_whole(reading)
    return reading


def _require_order(places: Iterable[object], taken: int) -> None:
    """Raise NotUnderstood where a span is out of order, or outside what was taken."""
    here = 0
    for each in places:
        if not isinstance(each, _PLACES):
            raise NotUnderstood("it found something that is no Found, Named, Mentioned or Size")
        has_text = each.write is not None
        if not here <= each.start <= each.end <= taken or has_text != (each.start < each.end):
            raise NotUnderstood("its spans are out of order, empty, or outside what it took")
        if isinstance(each, Size) and not 0 <= each.begin <= each.until <= taken:
            raise NotUnderstood("a size speaks of bytes outside what was taken")
        here = each.end


def _require_whole(reading: Reading) -> None:
    """Raise NotUnderstood where what is written of ports apart lies outside the part that is whole."""
    aparts = [(each.start, each.apart) for each in reading.found if isinstance(each, Found) and each.apart]
    if not aparts:
        return
    for start, apart in aparts:
        parts = [part for part in reading.whole if part[0] <= start < apart.start < apart.end <= part[1]]
        if not isinstance(apart, Apart) or not parts:
            raise NotUnderstood("what it writes of ports apart lies outside the part that is whole")
    spans = sorted(
        [*((each.start, each.end) for each in reading.found), *((each.start, each.end) for _, each in aparts)]
    )
    if any(one[1] > other[0] for one, other in pairwise(spans)):
        raise NotUnderstood("what it writes of ports apart overlaps other places")
