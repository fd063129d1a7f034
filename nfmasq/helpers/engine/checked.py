"""Readings are checked here before anything is made of them: a reading is trusted as little as a packet."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter

from nfmasq.helpers.kit.base import (
    LARGEST_REMEMBERED,
    MOST_FOUND,
    Admitted,
    Apart,
    Found,
    Mentioned,
    Named,
    Reading,
    Size,
)

_PLACES = Found, Named, Mentioned, Size
_MORE = Found, Size
"""Places that say more than their own span."""
_start = attrgetter("start")
_SEQUENCES = {list, tuple}
"""No types that only resemble them: iterating those would run the helper's code outside its leash."""


class NotUnderstood(Exception):
    """A reading that contradicts itself, or the bytes that were read."""


def checked(reading: object, length: int) -> Reading:
    """The reading, if it is a valid one of `length` bytes. Raises NotUnderstood."""
    if not isinstance(reading, Reading) or not 0 <= reading.taken <= length:
        raise NotUnderstood("it took more than it was given, or gave no Reading")
    taken, found, _, left_alone, admitted, ended, _, whole, remember = reading
    if not _SEQUENCES.issuperset(map(type, (found, left_alone, admitted, ended, whole))):
        raise NotUnderstood(
            "what it found, left alone, admitted, ended and holds together must be in lists or tuples"
        )
    if max(map(len, (found, admitted, ended, whole))) > MOST_FOUND:
        raise NotUnderstood(
            f"it found, admitted, ended or holds together more than {MOST_FOUND} endpoints in one reading"
        )
    if len(left_alone) > max(MOST_FOUND, length):
        raise NotUnderstood("it left alone more messages than there are bytes")
    if remember and not (type(remember) is int and 0 < remember <= LARGEST_REMEMBERED):
        raise NotUnderstood("what it remembers is no number that the core can keep")
    if admitted and not all(isinstance(each, Admitted) for each in admitted):
        raise NotUnderstood("it admitted something that is no Admitted")
    if found and (with_apart := _in_order(found, taken)):
        _require_whole(reading, with_apart)
    return reading


def _in_order(places: Iterable[object], taken: int) -> list[Found]:
    """Those of which ports apart may be written.

    Raises NotUnderstood where a span is out of order, or outside what was taken.
    """
    here, with_apart = 0, []
    for each in places:
        if not isinstance(each, _PLACES):
            raise NotUnderstood("it found something that is no Found, Named, Mentioned or Size")
        start, end = each.start, each.end
        if not here <= start <= end <= taken or (each.write is None) == (start < end):
            raise NotUnderstood("its spans are out of order, empty, or outside what it took")
        here = end
        if not isinstance(each, _MORE):
            continue
        if isinstance(each, Size):
            if not 0 <= each.begin <= each.until <= taken:
                raise NotUnderstood("a size speaks of bytes outside what was taken")
        elif each.apart:
            with_apart.append(each)
    return with_apart


def _require_whole(reading: Reading, with_apart: Sequence[Found]) -> None:
    """Raise NotUnderstood where what is written of ports apart overlaps, or lies outside its whole part."""
    spans: list[tuple[int, int]] = []
    around: set[tuple[int, int]] = set()
    for start, apart in [(each.start, each.apart) for each in with_apart]:
        if not isinstance(apart, Apart) or not any(
            part[0] <= start < apart.start < apart.end <= part[1] for part in reading.whole
        ):
            raise NotUnderstood("what it writes of ports apart lies outside the part that is whole")
        behind = bisect_right(reading.found, apart.start, key=_start)
        around.update((each.start, each.end) for each in reading.found[behind - 1 : behind + 1])
        spans.append((apart.start, apart.end))
    for one, other in pairwise(sorted([*spans, *around])):
        if one[1] > other[0]:
            raise NotUnderstood("what it writes of ports apart overlaps other places")
