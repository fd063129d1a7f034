"""The networks of one side: in order, no more than there is room for, the same objects while they stay."""

from ipaddress import IPv4Network

from nfmasq.machine.ranges import Block
from nfmasq.machine.side import Side


def put(side: Side, index: int, *networks: str, own: tuple[int, ...] = ()) -> bool:
    """The networks of one chunk."""
    return side.put(index, tuple(map(_block, networks)), own)


def _block(network: str) -> Block:
    read = IPv4Network(network)
    return int(read.network_address), read.prefixlen


def shown(side: Side, kept_out: tuple[int, ...] = ()) -> list[str]:
    return list(map(str, side.networks(kept_out)))


def test_parts_and_whole_chunks_come_in_order_and_neighbours_join() -> None:
    side = Side(100)
    assert not put(side, 0x0A05, "10.5.1.0/24")
    assert put(side, 0x0A02, "10.2.0.0/16")
    side.set_quiet([(0x0A030000, 0x0A03FFFF)])
    assert shown(side) == ["10.2.0.0/15", "10.5.1.0/24"]
    assert not side.is_crowded


def test_a_chunk_that_is_whole_no_more_says_so() -> None:
    side = Side(100)
    put(side, 0x0A02, "10.2.0.0/16")
    side.set_quiet([])
    assert put(side, 0x0A02, "10.2.0.0/17")
    side.set_quiet([])
    assert shown(side) == ["10.2.0.0/17"]
    put(side, 0x0A02)
    assert shown(side) == []


def test_a_crowded_side_widens_the_narrowest_and_has_its_networks_back_when_there_is_room() -> None:
    side = Side(2)
    for index in (0x0A01, 0x0A02):
        put(side, index, *(f"10.{index & 0xFF}.{n}.0/24" for n in (0, 2)))
    assert len(shown(side)) == 2
    assert side.is_crowded
    put(side, 0x0A02)
    assert shown(side) == ["10.1.0.0/24", "10.1.2.0/24"]
    assert not side.is_crowded


def test_no_network_is_widened_over_an_address_that_is_kept_out() -> None:
    side = Side(1)
    kept_out = (0x0A010101,)
    put(side, 0x0A01, "10.1.0.0/24", "10.1.2.0/24", own=kept_out)
    assert not any(IPv4Network("10.1.1.1/32").subnet_of(each) for each in side.networks(kept_out))


def test_networks_that_stay_are_the_same_objects() -> None:
    side = Side(100)
    put(side, 0x0A01, "10.1.0.0/24")
    (before,) = side.networks(())
    put(side, 0x0A02, "10.2.0.0/24")
    assert side.networks(())[0] is before


def test_the_first_networks_are_exact_though_the_side_is_crowded() -> None:
    side = Side(1)
    put(side, 0x0A02, "10.2.0.0/24", "10.2.2.0/24")
    put(side, 0x0A01, "10.1.0.0/24")
    assert list(map(str, side.first(2))) == ["10.1.0.0/24", "10.2.0.0/24"]
