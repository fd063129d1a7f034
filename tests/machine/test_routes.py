"""The table of routes against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from nfmasq.machine.routes import Routes, bounds, network_key, preference
from nfmasq.machine.rtnetlink import APPEND, MAIN, REPLACE, Hop, Way


def _way(priority: int, interface: int, table: int = MAIN) -> Way:
    return Way(table, 0, priority, 1, 0, 3, 0, (Hop(interface, 0),))


WAYS = [_way(priority, interface) for priority in (0, 5) for interface in (1, 2, 3)]
keys = st.integers(0, 20).map(lambda number: network_key(number << 8, 24))
steps = st.lists(
    st.tuples(st.sampled_from(("add", "append", "replace", "remove")), keys, st.sampled_from(WAYS)),
    max_size=200,
)


def _step(model: dict[int, list[Way]], verb: str, key: int, way: Way) -> None:
    """What the kernel does, said simply."""
    there = model.setdefault(key, [])
    equals = [each for each in there if each.priority == way.priority]
    if verb == "remove":
        if way in there:
            there.remove(way)
    elif way not in there:
        if verb == "replace" and equals:
            there[there.index(equals[0])] = way
        elif verb == "append" or not equals:
            there.insert(there.index(equals[-1]) + 1 if equals else len(there), way)
        else:
            there.insert(there.index(equals[0]), way)


@given(steps)
def test_routes_come_and_go_as_in_the_kernel(taken: list[tuple[str, int, Way]]) -> None:
    routes = Routes()
    model: dict[int, list[Way]] = {}
    flags = {"add": 0, "append": APPEND, "replace": REPLACE}
    for number, (verb, key, way) in enumerate(taken):
        _step(model, verb, key, way)
        if verb == "remove":
            routes.remove(key, way)
        else:
            routes.add(key, way, flags[verb])
        if number % 7 == 0:
            assert list(routes.within(0, 5 << 8)) == sorted(
                each for each, ways in model.items() if ways and each >> 6 <= 5 << 8
            )
    expected = {key: tuple(ways) for key, ways in model.items() if ways}
    assert routes.ways == expected
    assert list(routes.within(0, 0xFFFFFFFF)) == sorted(expected)
    assert routes.networks_of == {
        way: {key for key, ways in expected.items() if way in ways}
        for way in {way for ways in expected.values() for way in ways}
    }


def test_all_routes_of_a_way_are_removed() -> None:
    one, other = WAYS[0], WAYS[1]
    both, single = network_key(0, 24), network_key(256, 24)
    routes = Routes([(both, one), (both, other), (single, one)])
    assert sorted(key for key, _ in routes.remove_ways([one])) == [both, single]
    assert routes.ways == {both: (other,)}
    assert list(routes.within(0, 1 << 16)) == [both]


def test_networks_around_others_come_first() -> None:
    narrow, wide = network_key(10 << 24, 16), network_key(10 << 24, 8)
    assert sorted([narrow, wide]) == [wide, narrow]
    assert bounds(wide) == (10 << 24, (11 << 24) - 1)
    assert bounds(0) == (0, 0xFFFFFFFF)


def test_table_main_is_preferred_then_the_lowest_metric() -> None:
    other, main = _way(0, 1, table=100), _way(9, 2)
    assert min(other, main, key=preference) is main
    assert min(_way(9, 1), _way(3, 1), key=preference).priority == 3
