"""Few networks in place of many, for a back end without sets: a packet meets one rule after another there."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, collapse_addresses, summarize_address_range
from itertools import islice, pairwise

MOST_RULES = 32
"""Networks a list of rules holds at most."""


def cover(
    networks: Iterable[IPv4Network], spare: Iterable[IPv4Network] = (), most: int = MOST_RULES
) -> tuple[IPv4Network, ...]:
    """At most `most` networks that hold these, with as little as possible besides.

    spare: what they shall not hold if that can be helped.

    Two neighbours are joined by the smallest network that holds both. Of two such joins one lies in the
    other or apart from it. So each join taken, the smallest first, makes the list shorter by one.
    """
    exact = tuple(collapse_addresses(networks))
    if len(exact) <= most:
        return exact
    spared = tuple(collapse_addresses(spare))
    joins = [_join(one, other) for one, other in pairwise(exact)]
    joins.sort(key=lambda join: (_overlaps(join, spared), join.num_addresses))
    return tuple(collapse_addresses((*exact, *joins[: len(exact) - most])))


def all_without(networks: Iterable[IPv4Network], holes: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """What of these networks lies in no hole, in the fewest networks."""
    left: list[IPv4Network] = []
    gaps = tuple(collapse_addresses(holes))
    starts = [int(gap.network_address) for gap in gaps]
    for network in collapse_addresses(networks):
        at, last = int(network.network_address), int(network.broadcast_address)
        nearest = max(bisect_right(starts, at) - 1, 0)
        for gap in islice(gaps, nearest, bisect_right(starts, last)):
            left += _between(at, int(gap.network_address) - 1)
            at = max(at, int(gap.broadcast_address) + 1)
        left += _between(at, last)
    return tuple(collapse_addresses(left))


def _between(first: int, last: int) -> Iterable[IPv4Network]:
    if first > last:
        return ()
    return summarize_address_range(IPv4Address(first), IPv4Address(last))


def _join(one: IPv4Network, other: IPv4Network) -> IPv4Network:
    differing = int(one.network_address) ^ int(other.network_address)
    length = min(32 - differing.bit_length(), one.prefixlen, other.prefixlen)
    return one.supernet(new_prefix=length)


def _overlaps(network: IPv4Network, others: Sequence[IPv4Network]) -> bool:
    return any(network.overlaps(other) for other in others)
