"""Few networks in place of many, for a back end without sets: a packet meets one rule after another there."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from itertools import pairwise

from nfmasq.machine.ranges import Block, Range, blocks, joined, range_of

MOST_RULES = 32
"""Networks a list of rules holds at most."""


def collapsed(networks: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """The same addresses in the fewest networks, ascending. Thousands are no matter, as in `ipaddress`."""
    given = tuple(networks)
    return _as_networks(_joined(given), given)


def cover(
    networks: Iterable[IPv4Network], spare: Iterable[IPv4Network] = (), most: int = MOST_RULES
) -> tuple[IPv4Network, ...]:
    """At most `most` networks that hold these, with as little as possible besides.

    spare: what they shall not hold if that can be helped.

    Two neighbours are joined by the smallest network that holds both. Of two such joins one lies in the
    other or apart from it. So each join taken, the smallest first, makes the list shorter by one.
    """
    exact = collapsed(networks)
    if len(exact) <= most:
        return exact
    spared = _joined(spare)
    joins = [_join(one, other) for one, other in pairwise(map(_block, exact))]
    joins.sort(key=lambda join: (_overlaps(range_of(join), spared), -join[1]))
    kept = map(range_of, (*map(_block, exact), *joins[: len(exact) - most]))
    return _as_networks(joined(sorted(kept)))


def all_without(networks: Iterable[IPv4Network], holes: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """What of these networks lies in no hole, in the fewest networks."""
    given = tuple(networks)
    gaps = _joined(holes) if given else []
    left: list[Range] = []
    for start, last in _joined(given):
        first = start
        for gap in gaps[max(bisect_right(gaps, (first,)) - 1, 0) : bisect_right(gaps, (last, last))]:
            if gap[1] < first:
                continue
            if gap[0] > first:
                left.append((first, gap[0] - 1))
            first = gap[1] + 1
        if first <= last:
            left.append((first, last))
    return _as_networks(left, given)


def _joined(networks: Iterable[IPv4Network]) -> list[Range]:
    return joined(sorted(range_of(_block(network)) for network in networks))


def _as_networks(ranges: Iterable[Range], given: Sequence[IPv4Network] = ()) -> tuple[IPv4Network, ...]:
    """The ranges in the fewest networks; those objects that are given already."""
    known = {_block(network): network for network in given}
    return tuple(known.get(block) or IPv4Network(block) for block in blocks(ranges))


def _block(network: IPv4Network) -> Block:
    return int(network.network_address), network.prefixlen


def _join(one: Block, other: Block) -> Block:
    length = min(32 - (one[0] ^ other[0]).bit_length(), one[1], other[1])
    return one[0] & ~(0xFFFFFFFF >> length), length


def _overlaps(wanted: Range, ranges: Sequence[Range]) -> bool:
    at = bisect_right(ranges, (wanted[1], 0xFFFFFFFF)) - 1
    return at >= 0 and ranges[at][1] >= wanted[0]
