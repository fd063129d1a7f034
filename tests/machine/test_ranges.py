"""Ranges of addresses against sets of addresses."""

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from nfmasq.machine.ranges import (
    Block,
    Range,
    blocks,
    common,
    covering,
    joined,
    nearest,
    outermost,
    range_of,
    without,
)

addresses = st.sets(st.integers(0, 63))
some_blocks = st.sets(
    st.tuples(st.integers(0, 63), st.integers(26, 32)).map(
        lambda each: (each[0] & ~((1 << (32 - each[1])) - 1), each[1])
    )
)


def _ranges(those: set[int]) -> list[Range]:
    return joined((each, each) for each in sorted(those))


def _set(ranges: list[Range]) -> set[int]:
    return {each for first, last in ranges for each in range(first, last + 1)}


@given(addresses)
def test_networks_make_up_the_ranges_and_are_as_few_as_can_be(those: set[int]) -> None:
    found = list(blocks(_ranges(those)))
    assert _set([range_of(block) for block in found]) == those
    assert len(joined(map(range_of, found))) == len(_ranges(those))
    assert not any((one[0] ^ (1 << (32 - one[1])), one[1]) in found for one in found if one[1] > 26)


@given(some_blocks)
def test_the_narrowest_range_decides(networks: set[Block]) -> None:
    expected = {
        address: max(block[1] for block in networks if range_of(block)[0] <= address <= range_of(block)[1])
        for address in _set([range_of(block) for block in networks])
    }
    parts = list(nearest((*range_of(block), block[1]) for block in sorted(networks)))
    assert {each: value for first, last, value in parts for each in range(first, last + 1)} == expected
    assert parts == sorted(parts)


@given(some_blocks)
def test_the_outermost_networks_lie_in_no_other(networks: set[Block]) -> None:
    found = outermost(range_of(block) for block in sorted(networks))
    assert _set(found) == _set([range_of(block) for block in networks])
    assert sum(last - first + 1 for first, last in found) == len(_set(found))


@given(addresses, addresses)
def test_single_addresses_are_taken_out(those: set[int], out: set[int]) -> None:
    assert _set(list(without(_ranges(those), sorted(out)))) == those - out


@given(addresses, addresses)
def test_what_two_lists_have_in_common(one: set[int], other: set[int]) -> None:
    parts = [(first, last, "value") for first, last in _ranges(other)]
    assert _set([part[:2] for part in common(_ranges(one), parts)]) == one & other


@given(some_blocks, st.integers(1, 8), addresses)
def test_covering_networks_cover_and_keep_out_what_they_must(
    networks: set[Block], most: int, out: set[int]
) -> None:
    exact = list(blocks(without(joined(map(range_of, sorted(networks))), sorted(out))))
    found = covering(exact, most, sorted(out))
    assert len(found) <= most
    assert not _set([range_of(block) for block in found if block[1] > 20]) & out
    if not out:
        assert all(
            any(range_of(wide)[0] <= range_of(block)[0] and range_of(block)[1] <= range_of(wide)[1]
                for wide in found)
            for block in exact
        )  # fmt: skip


def test_everything_is_one_network() -> None:
    assert [IPv4Network(block) for block in blocks([(0, 0xFFFFFFFF)])] == [IPv4Network("0.0.0.0/0")]
