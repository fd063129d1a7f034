"""A way leads by its living hops; a nexthop object stands for its hops or its members'."""

from types import SimpleNamespace

from nfmasq.machine.roads import Roads
from nfmasq.machine.routes import Routes
from nfmasq.machine.rtnetlink import MAIN, Hop, Link, Nexthop, Way

LAN, WAN, TUN, DOWN = 2, 3, 4, 5
LINKS = {index: Link(index, f"if{index}", 1500, index != DOWN, True) for index in (LAN, WAN, TUN, DOWN)}
OBJECTS = {
    1: Nexthop(1, Hop(LAN, 0), ()),
    2: Nexthop(2, Hop(WAN, 0), ()),
    3: Nexthop(3, None, (1, 2)),
    4: Nexthop(4, None, ()),
}


def _roads() -> Roads:
    seen = SimpleNamespace(links=LINKS, addresses={}, nexthops=OBJECTS, routes=Routes())
    return Roads(seen, frozenset({LAN}), frozenset({WAN}))


def _way(*interfaces: int, nexthop: int = 0, kind: int = 1) -> Way:
    return Way(MAIN, 0, 0, kind, 0, 3, 0, tuple(Hop(each, 0) for each in interfaces), nexthop)


def test_hops_by_links_that_are_down_or_away_lead_nowhere() -> None:
    assert _roads().interfaces(_way(LAN, DOWN, 99)) == {LAN}
    assert _roads().hops(_way(DOWN)) == ()


def test_only_unicast_routes_lead_anywhere() -> None:
    assert _roads().hops(_way(LAN, kind=6)) == ()


def test_objects_and_groups_stand_for_their_hops() -> None:
    roads = _roads()
    assert [set(roads.interfaces(_way(nexthop=number))) for number in (1, 3, 4, 9)] == [
        {LAN},
        {LAN, WAN},
        set(),
        set(),
    ]


def test_the_sides_a_way_leads_to() -> None:
    roads = _roads()
    both, tunnel = _way(LAN, WAN), _way(TUN)
    assert (roads.leads_inside(both), roads.leads_out(both), roads.leads_elsewhere(both)) == (
        True,
        True,
        False,
    )
    assert (roads.leads_inside(tunnel), roads.leads_out(tunnel), roads.leads_elsewhere(tunnel)) == (
        False,
        False,
        True,
    )
