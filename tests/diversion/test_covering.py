"""Few networks in place of many, and networks with holes."""

from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from hypothesis import given
from hypothesis import strategies as st

from nfmasq.diversion.covering import MOST_RULES, all_without, cover

SMALL = IPv4Network("10.0.0.0/20")

networks = st.builds(
    lambda offset, length: IPv4Network((int(SMALL.network_address) + offset, length), strict=False),
    st.integers(0, SMALL.num_addresses - 1),
    st.integers(22, 32),
)
lists = st.lists(networks, max_size=60)


def _addresses(held: tuple[IPv4Network, ...] | list[IPv4Network]) -> set[IPv4Address]:
    return {address for network in held for address in network}


@given(lists)
def test_a_cover_holds_all_and_is_short(given_networks: list[IPv4Network]) -> None:
    covering = cover(given_networks)
    assert len(covering) <= MOST_RULES
    assert _addresses(covering) >= _addresses(given_networks)


@given(lists)
def test_few_networks_are_covered_by_themselves(given_networks: list[IPv4Network]) -> None:
    exact = tuple(collapse_addresses(given_networks))
    assert cover(given_networks, most=len(exact)) == exact


def test_what_is_spared_stays_outside_while_other_joins_suffice() -> None:
    pairs = [IPv4Network(f"10.{number}.{part}.0/24") for number in range(8) for part in (0, 2)]
    assert cover(pairs, (IPv4Network("10.3.1.0/24"),), most=9) == (
        *(IPv4Network(f"10.{number}.0.0/22") for number in (0, 1, 2)),
        *(IPv4Network(f"10.3.{part}.0/24") for part in (0, 2)),
        *(IPv4Network(f"10.{number}.0.0/22") for number in (4, 5, 6, 7)),
    )


def test_thousands_of_networks_are_covered_in_no_time() -> None:
    many = [IPv4Network((0x0A000000 + 1024 * number, 24)) for number in range(4096)]
    assert len(cover(many, many[:0])) <= MOST_RULES
    assert all_without(many, many[::2]) == tuple(many[1::2])


@given(lists, lists)
def test_holes_are_taken_out_to_the_address(
    given_networks: list[IPv4Network], holes: list[IPv4Network]
) -> None:
    assert _addresses(all_without(given_networks, holes)) == _addresses(given_networks) - _addresses(holes)
