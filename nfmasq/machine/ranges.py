"""Arithmetic on ranges of IPv4 addresses: (first, last), ints in host byte order, both included.

Lists of ranges are ascending and disjoint unless a function says otherwise. Networks are (first, length).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

Range = tuple[int, int]
Block = tuple[int, int]
"""A network: its first address and its prefix length."""

EVERYTHING = (0, 0xFFFFFFFF)

V = TypeVar("V")


def range_of(block: Block) -> Range:
    """The first and the last address of a network."""
    return block[0], block[0] | (0xFFFFFFFF >> block[1])


def nearest(nested: Iterable[tuple[int, int, V]]) -> Iterator[tuple[int, int, V]]:
    """The parts of nested ranges, each with what the narrowest range around it says.

    Takes (first, last, value) by ascending first, the wider first, each within or beside each other.
    """
    around: list[tuple[int, V]] = []
    position = 0
    for first, last, value in nested:
        while around and around[-1][0] < first:
            end, said = around.pop()
            if position <= end:
                yield position, end, said
                position = end + 1
        if around and position < first:
            yield position, first - 1, around[-1][1]
        around.append((last, value))
        position = first
    while around:
        end, said = around.pop()
        if position <= end:
            yield position, end, said
            position = end + 1


def outermost(ascending: Iterable[Range]) -> list[Range]:
    """The ranges that lie in no other, of ranges by ascending first and the wider first."""
    found: list[Range] = []
    for first, last in ascending:
        if not found or last > found[-1][1]:
            found.append((first, last))
    return found


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The same addresses in as few ranges as there can be. Takes ranges by ascending first."""
    found: list[Range] = []
    for first, last in ranges:
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def without(ranges: Iterable[Range], addresses: Sequence[int]) -> Iterator[Range]:
    """The ranges without some single addresses, which are ascending."""
    for start, last in ranges:
        first = start
        for address in addresses[bisect_left(addresses, first) :]:
            if address > last:
                break
            if first < address:
                yield first, address - 1
            first = address + 1
        if first <= last:
            yield first, last


def common(ranges: Sequence[Range], parts: Sequence[tuple[int, int, V]]) -> Iterator[tuple[int, int, V]]:
    """What lies in a range and in a part, with the part's value; both ascending."""
    at = 0
    for first, last in ranges:
        while at < len(parts) and parts[at][1] < first:
            at += 1
        here = at
        while here < len(parts) and parts[here][0] <= last:
            start, end, value = parts[here]
            yield max(first, start), min(last, end), value
            here += 1


def blocks(ranges: Iterable[Range]) -> Iterator[Block]:
    """The fewest networks that make up some ranges."""
    for start, last in ranges:
        first = start
        while first <= last:
            most = first & -first or 1 << 32
            size = min(most, 1 << ((last - first + 1).bit_length() - 1))
            yield first, 33 - size.bit_length()
            first += size


def covering(networks: Sequence[Block], most: int, kept_out: Sequence[int]) -> list[Block]:
    """At most that many networks that cover these, the narrow ones widened first.

    No network is widened over an address of `kept_out` (ascending), nor past a length of 8. Where that leaves
    more than `most`, the narrowest are left out.
    """
    found = list(networks)
    for length in range(32, 8, -1):
        if len(found) <= most:
            return found
        if any(block[1] == length for block in found):
            found = widened(found, length, kept_out)
    return sorted(sorted(found, key=lambda block: block[1])[:most])


def widened(networks: Sequence[Block], length: int, kept_out: Sequence[int]) -> list[Block]:
    """The networks, those of a length one bit wider where they may be, and none in another."""
    found: list[Block] = []
    size = 1 << (33 - length)
    end = -1
    for network in networks:
        first, last = range_of(network)
        if network[1] == length:
            wide = first & -size
            at = bisect_left(kept_out, wide)
            if at == len(kept_out) or kept_out[at] >= wide + size:
                network, first, last = (wide, length - 1), wide, wide + size - 1  # noqa: PLW2901
        if last <= end:
            continue
        while found and found[-1][0] >= first:
            found.pop()
        found.append(network)
        end = last
    return found
