"""What is inside after any changes of routes: as judged anew, and as judged address by address."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from nfmasq.machine.inside import fates_of_everything
from nfmasq.machine.picture import Picture
from nfmasq.machine.ranges import blocks, covering, joined
from nfmasq.machine.roads import Roads
from nfmasq.machine.routes import Routes, bounds, network_key, preference
from nfmasq.machine.rtnetlink import MAIN, UNICAST, Hop, Link, Way
from nfmasq.machine.sides import Sides

LAN, WAN = 1, 2
PLENTY = 4096


def way(*interfaces: int, metric: int = 0) -> Way:
    """A route's way by these interfaces; by none: a blackhole."""
    kind = UNICAST if interfaces else UNICAST + 5
    return Way(MAIN, 0, metric, kind, 0, 0, 0, tuple(Hop(each, 0) for each in interfaces))


WAYS = (way(LAN), way(WAN), way(LAN, WAN), way(), way(LAN, metric=7), way(WAN, metric=7))


def roads_of(picture: Picture) -> Roads:
    """Both interfaces are there and up."""
    picture.links = {n: Link(n, name, 1500, True, True) for n, name in ((LAN, "lan0"), (WAN, "wan0"))}
    return Roads(picture, frozenset({LAN}), frozenset({WAN}))


def sides_of(
    routes: Routes,
    wanted: Iterable[tuple[IPv4Network, bool]] = (),
    own: tuple[int, ...] = (),
    room: int = PLENTY,
) -> Sides:
    """The sides of these routes."""
    return Sides(routes, roads_of(Picture()), wanted, own, room)


def keys() -> st.SearchStrategy[int]:
    """Networks of every length, crowded into a few chunks so that they meet."""
    first = st.builds(
        lambda chunk, rest: chunk << 16 | rest,
        st.sampled_from([0x0A00, 0x0A01, 0x0A02, 0x0AFF, 0xAC1F, 0xAC20, 0x0808]),
        st.sampled_from([0, 1, 0x80, 0x100, 0x8000, 0xFFFF]),
    )
    lengths = st.one_of(st.integers(14, 32), st.integers(1, 32))
    return st.builds(
        lambda at, length: network_key(at >> (32 - length) << (32 - length), length), first, lengths
    )


steps = st.lists(st.tuples(keys(), st.sampled_from(WAYS), st.booleans()), max_size=25)
networks = st.builds(lambda key: IPv4Network((key >> 6, key & 63)), keys())


def seen(sides: Sides, own: tuple[int, ...]) -> tuple[object, ...]:
    """All that sides say."""
    return (
        sides.translated.networks(own),
        sides.translated.is_crowded,
        sides.untranslated.networks(own),
        sides.public.first(4),
        list(sides.contested),
        sides.own_inside,
    )


@settings(deadline=None, max_examples=300)
@given(
    before=steps,
    changes=st.lists(steps, max_size=4),
    wanted=st.lists(st.tuples(networks, st.booleans()), max_size=3),
    owns=st.lists(st.sets(st.sampled_from([0x0A000001, 0x0A018000, 0xAC1F0100]), max_size=2), min_size=5),
    room=st.sampled_from([1, 3, 8, PLENTY]),
)
def test_what_changed_alone_is_judged_as_if_all_were(
    before: list[tuple[int, Way, bool]],
    changes: list[list[tuple[int, Way, bool]]],
    wanted: list[tuple[IPv4Network, bool]],
    owns: list[set[int]],
    room: int,
) -> None:
    routes = Routes()
    apply(routes, before)
    own = tuple(sorted(owns[0]))
    sides = sides_of(routes, wanted, own, room)
    for change, addresses in zip(changes, owns[1:], strict=False):
        own = tuple(sorted(addresses))
        sides.set_own(own)
        sides.update(routes, apply(routes, change))
        assert seen(sides, own) == seen(sides_of(routes, wanted, own, room), own)


def apply(routes: Routes, steps: Iterable[tuple[int, Way, bool]]) -> list[int]:
    """Routes come and go; the networks they are of."""
    for key, its_way, comes in steps:
        if comes:
            routes.add(key, its_way)
        else:
            routes.remove(key, its_way)
    return [key for key, _, _ in steps]


@settings(deadline=None, max_examples=200)
@given(there=steps, own=st.sets(st.sampled_from([0x0A000001, 0x0A018000]), max_size=2))
def test_an_address_is_inside_if_the_narrowest_route_around_it_leads_there(
    there: list[tuple[int, Way, bool]], own: set[int]
) -> None:
    routes = Routes()
    apply(routes, there)
    sides = sides_of(routes, own=tuple(sorted(own)))
    inside = (*sides.translated.networks(()), *sides.untranslated.networks(()))
    edges = {edge for key in routes.ways for edge in bounds(key)}
    near = {edge + step for edge in edges for step in (-1, 0, 1)}
    for address in (each for each in near if 0 <= each < 1 << 32):
        expected = address not in own and _leads_inside(routes, address)
        assert any(IPv4Address(address) in network for network in inside) is expected, IPv4Address(address)


def _leads_inside(routes: Routes, address: int) -> bool:
    for length in range(32, 0, -1):
        ways = routes.ways.get(network_key(address >> (32 - length) << (32 - length), length), ())
        leading = [each for each in ways if each.kind == UNICAST]
        if leading:
            return any(hop.interface == LAN for hop in min(leading, key=preference).hops)
    return False


@settings(deadline=None, max_examples=200)
@given(
    there=st.lists(keys(), max_size=40),
    own=st.sets(st.sampled_from([0x0A000081, 0x0A018000])),
    most=st.integers(1, 9),
)
def test_too_many_networks_are_covered_as_a_whole_list_would_be(
    there: list[int], own: set[int], most: int
) -> None:
    routes = Routes((key, way(LAN)) for key in there)
    kept_out = tuple(sorted(own))
    wanted = [(IPv4Network("0.0.0.0/0"), True)]
    exact = sides_of(routes, wanted, kept_out).translated.networks(kept_out)
    ranges = joined((int(each[0]), int(each[-1])) for each in exact)
    assert [(int(each[0]), each.prefixlen) for each in exact] == list(blocks(ranges))
    side = sides_of(routes, wanted, kept_out, most).translated
    found = [(int(each[0]), each.prefixlen) for each in side.networks(kept_out)]
    assert found == covering(list(blocks(ranges)), most, kept_out)
    assert side.is_crowded is (len(exact) > most)


def test_each_side_has_what_the_configuration_says() -> None:
    routes = Routes([(network_key(10 << 24, 8), way(LAN)), (network_key(8 << 24, 24), way(LAN))])
    sides = sides_of(routes, [(IPv4Network("10.1.2.0/24"), False)])
    assert IPv4Network("10.1.2.0/24") in sides.untranslated.networks(())
    assert not any(each.overlaps(IPv4Network("10.1.2.0/24")) for each in sides.translated.networks(()))
    assert sides.public.first(9) == [IPv4Network("8.0.0.0/24")]
    assert fates_of_everything(())
