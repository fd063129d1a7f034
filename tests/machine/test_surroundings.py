"""What surrounds the translation on a real router: inside, uplinks, elsewhere, and what is wrong."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from types import SimpleNamespace
from typing import Any

import pytest
from support.roads import INSIDE, four_sides

from nfmasq.core.policy import Source
from nfmasq.lab.namespace import Namespace
from nfmasq.machine.mirror import Mirror
from nfmasq.machine.surroundings import Surroundings, derive
from nfmasq.machine.uplinks import Room

pytestmark = pytest.mark.root

LAN0, LAN1 = IPv4Network("192.168.1.0/24"), IPv4Network("192.168.2.0/24")
EVERYWHERE = IPv4Network("0.0.0.0/0")
WAN0, WAN1 = IPv4Address("203.0.113.2"), IPv4Address("198.51.100.2")


@pytest.fixture
def router(as_root: None) -> Iterator[Namespace]:
    with four_sides() as made:
        yield made


def _wanted(**said: Any) -> Any:
    usual: dict[str, Any] = {
        "internal": INSIDE,
        "external": ["wan0"],
        "pools": {},
        "translate": [],
        "unguarded": [],
    }
    return SimpleNamespace(**(usual | said))


def _read(router: Namespace, room: Room | None = None, **said: Any) -> Surroundings:
    with router.call(Mirror) as mirror:
        return derive(_wanted(**said), mirror, room or Room()).surroundings


def _networks(*written: str) -> tuple[IPv4Network, ...]:
    return tuple(map(IPv4Network, written))


def test_a_plain_router(router: Namespace) -> None:
    read = _read(router)
    (outside,) = read.outsides
    assert (outside.name, outside.mtu, outside.addresses, outside.pooled) == ("wan0", 1500, (WAN0,), (WAN0,))
    assert outside.sources == (Source(EVERYWHERE, WAN0),)
    assert read.internal == (LAN0, LAN1)
    assert (read.untranslated, read.contested, read.problems) == ((), (), ())
    assert read.elsewhere == _networks("198.51.100.0/24")


def test_an_interface_with_a_default_route_is_an_uplink_that_nobody_named(router: Namespace) -> None:
    router.ip("route add default via 198.51.100.1 dev wan1 metric 200")
    read = _read(router)
    assert [outside.name for outside in read.outsides] == ["wan0", "wan1"]
    assert read.outsides[1].pooled == (WAN1,)
    assert read.elsewhere == ()
    (told,) = [line for line in read.warnings if line.startswith("wan1 ")]
    assert "name it there, or in nat.unguarded" in told


def test_no_other_interface_is_an_uplink_that_nobody_named(router: Namespace) -> None:
    """Not one that is mentioned, none with a default route in another table, none without an address."""
    router.ip("route add default via 198.51.100.1 dev wan1 table 100")
    assert len(_read(router).outsides) == 1
    router.ip("route add default via 198.51.100.1 dev wan1 metric 200")
    assert len(_read(router, unguarded=["wan1"]).outsides) == 1
    router.ip("route add default via 192.168.1.9 dev lan0 metric 300")
    assert [outside.name for outside in _read(router).outsides] == ["wan0", "wan1"]
    router.ip("address flush dev wan1", "route add default dev wan1 metric 200")
    assert len(_read(router).outsides) == 1


def test_a_wan_within_a_summary_that_leads_inside(router: Namespace) -> None:
    router.ip("address add 10.99.0.2/24 dev wan0", "route add 10.0.0.0/8 via 192.168.1.2")
    read = _read(router)
    inside = read.internal
    assert IPv4Address("10.98.255.255") in IPv4Network("10.0.0.0/8")
    assert any(IPv4Address("10.98.255.255") in network for network in inside)
    assert not any(network.overlaps(IPv4Network("10.99.0.0/24")) for network in inside)
    assert any(IPv4Address("10.99.1.0") in network for network in inside)


def test_our_own_external_address_is_never_inside(router: Namespace) -> None:
    router.ip("route add 203.0.113.0/29 via 192.168.1.2")
    read = _read(router, translate=[(EVERYWHERE, True)])
    assert not any(WAN0 in network for network in read.internal)
    assert any(IPv4Address("203.0.113.3") in network for network in read.internal)


def test_a_pool_is_never_inside_and_follows_no_route(router: Namespace) -> None:
    router.ip("route add 192.0.2.0/24 via 192.168.1.2", "address add 203.0.113.3/24 dev wan0")
    read = _read(router, pools={"wan0": _networks("192.0.2.7/32")})
    (outside,) = read.outsides
    assert (outside.pooled, outside.sources) == ((IPv4Address("192.0.2.7"),), ())
    assert outside.addresses == tuple(map(IPv4Address, ("192.0.2.7", "203.0.113.2", "203.0.113.3")))
    assert not any(IPv4Address("192.0.2.7") in network for network in read.untranslated)


def test_a_public_network_inside_is_not_translated_and_a_warning_names_the_key(router: Namespace) -> None:
    router.ip("address add 192.0.2.1/24 dev lan0")
    read = _read(router)
    assert read.untranslated == _networks("192.0.2.0/24")
    assert any("192.0.2.0/24" in each and "translate" in each for each in read.warnings)


def test_what_a_key_says_of_a_network_holds_and_is_no_problem(router: Namespace) -> None:
    router.ip("address add 192.0.2.1/24 dev lan0")
    read = _read(
        router,
        translate=[
            (IPv4Network("192.0.2.0/25"), True),
            (IPv4Network("192.0.2.128/25"), False),
            (LAN1, False),
        ],
    )
    assert read.internal == (IPv4Network("192.0.2.0/25"), LAN0)
    assert read.untranslated == (IPv4Network("192.0.2.128/25"), LAN1)
    assert read.problems == ()


def test_an_interface_that_is_away_stops_nothing_else(router: Namespace) -> None:
    router.ip("link del lan1", "link del wan1")
    read = _read(router, external=["wan1", "wan0"])
    assert [(outside.name, bool(outside.index)) for outside in read.outsides] == [
        ("wan1", False),
        ("wan0", True),
    ]
    assert read.internal == (LAN0,)
    assert [word for word in ("lan1", "wan1") if any(word in each for each in read.problems)] == [
        "lan1",
        "wan1",
    ]


def test_each_uplink_has_its_addresses(router: Namespace) -> None:
    router.ip("route add default via 198.51.100.1 dev wan1 metric 9")
    read = _read(router, external=["wan0", "wan1"])
    assert [outside.sources for outside in read.outsides] == [
        (Source(EVERYWHERE, WAN0),),
        (Source(EVERYWHERE, WAN1),),
    ]
    assert read.elsewhere == ()


def test_a_modem_page_gets_the_address_of_its_network(router: Namespace) -> None:
    router.ip("address add 192.168.100.2/24 dev wan0")
    (outside,) = _read(router).outsides
    modem = IPv4Address("192.168.100.2")
    assert outside.sources == (Source(IPv4Network("192.168.100.0/24"), modem), Source(EVERYWHERE, WAN0))
    assert outside.pooled == (WAN0, modem)


def test_a_second_address_that_no_route_names_is_ours_and_not_handed_out(router: Namespace) -> None:
    router.ip("address add 203.0.113.77/32 dev wan0", "address add 203.0.113.78/24 dev wan0")
    (outside,) = _read(router).outsides
    assert outside.pooled == (WAN0,)
    assert set(outside.addresses) == {WAN0, IPv4Address("203.0.113.77"), IPv4Address("203.0.113.78")}


def test_a_source_that_is_an_internal_interfaces_address_is_not_used(router: Namespace) -> None:
    router.ip("route add 8.8.8.0/24 dev wan0 src 192.168.1.1")
    (outside,) = _read(router).outsides
    assert outside.sources == (Source(EVERYWHERE, WAN0),)


def test_an_uplink_without_an_address_takes_one_of_no_side(router: Namespace) -> None:
    router.ip("address flush dev wan0", "address add 192.0.2.9/32 dev lo", "route add default dev wan0")
    (outside,) = _read(router).outsides
    assert outside.sources == (Source(EVERYWHERE, IPv4Address("192.0.2.9")),)
    assert outside.addresses == (IPv4Address("192.0.2.9"),)


def test_an_uplink_without_any_address_is_a_problem(router: Namespace) -> None:
    router.ip("address flush dev wan0")
    read = _read(router)
    assert (read.outsides[0].addresses, read.outsides[0].sources) == ((), ())
    assert any("no external address on wan0" in each for each in read.problems)


def test_routes_of_all_tables_count_and_main_before_others(router: Namespace) -> None:
    router.ip(
        "route add 10.1.0.0/16 via 192.168.1.2 table 100",
        "route add 10.2.0.0/16 via 192.168.1.2 table 100",
        "route add 10.2.0.0/16 via 203.0.113.1 metric 50",
    )
    read = _read(router)
    assert read.internal == (*_networks("10.1.0.0/16"), LAN0, LAN1)
    assert read.contested == _networks("10.2.0.0/16")


def test_dead_ends_decide_nothing_and_default_routes_make_nothing_inside(router: Namespace) -> None:
    router.ip(
        "route add 10.0.0.0/8 via 192.168.1.2",
        "route add blackhole 10.0.0.0/8 metric 9",
        "route add unreachable 10.1.0.0/16",
        "route add default via 192.168.1.2 metric 1",
        "route add default via 192.168.1.2 table 100",
    )
    assert _read(router).internal == (*_networks("10.0.0.0/8"), LAN0, LAN1)


def test_an_interface_with_a_default_route_is_not_elsewhere(router: Namespace) -> None:
    router.ip("route add 192.0.2.0/24 via 198.51.100.1", "link add tun9 type bridge", "link set tun9 up",
              "address add 10.8.0.2/24 dev tun9")  # fmt: skip
    assert _read(router).elsewhere == _networks("10.8.0.0/24", "192.0.2.0/24", "198.51.100.0/24")
    router.ip("route add 128.0.0.0/1 via 198.51.100.1")
    assert _read(router).elsewhere == _networks("10.8.0.0/24")


def test_more_networks_than_there_is_room_for_are_covered_but_never_our_own_address(
    router: Namespace,
) -> None:
    router.ip(
        "address add 10.9.0.129/30 dev wan0",
        *(f"route add 10.{n}.0.0/24 via 192.168.1.2" for n in range(1, 60, 2)),
    )
    read = _read(router, Room(internal_networks=8))
    assert 2 < len(read.internal) <= 8
    assert all(
        any(IPv4Network(f"10.{n}.0.0/24").subnet_of(each) for each in read.internal) for n in range(11, 60, 2)
    )
    assert not any(IPv4Address("10.9.0.129") in network for network in read.internal)
    assert any("collapsed" in each for each in read.problems)


def test_addresses_sources_and_uplinks_without_room_are_left_out_and_told(router: Namespace) -> None:
    router.ip(
        *(f"address add 203.0.113.{n}/24 dev wan0" for n in range(10, 20)),
        *(f"route add 8.8.{n}.0/24 via 203.0.113.1 src 203.0.113.{n}" for n in range(10, 14)),
    )
    read = _read(router, Room(1, 5, 3), external=["wan0", "wan1"])
    (outside,) = read.outsides
    assert (len(outside.addresses), len(outside.sources)) == (5, 3)
    assert outside.sources[-1] == Source(EVERYWHERE, WAN0)
    assert {source.address for source in outside.sources} <= set(outside.pooled) <= set(outside.addresses)
    assert len(read.problems) == 3


def test_a_change_that_touches_nothing_inside_lets_the_surroundings_stand(router: Namespace) -> None:
    with router.call(Mirror) as mirror:
        derived = derive(_wanted(), mirror)
        for command, stands in (
            ("route add 8.8.8.0/24 via 203.0.113.1", True),
            ("route del 8.8.8.0/24", True),
            ("route add blackhole 8.8.9.0/24", True),
            ("route add 192.168.1.128/25 via 203.0.113.1", False),
            ("route del 192.168.1.128/25", False),
            ("route add 10.1.0.0/16 via 192.168.1.2", False),
            ("route add 8.8.8.0/24 via 198.51.100.1", False),
            ("address add 203.0.113.9/24 dev wan0", False),
            ("link set lan0 mtu 1400", False),
        ):
            router.ip(command)
            after = derived.after(mirror, mirror.follow())
            assert (after is derived) is stands, command
            assert after.surroundings == derive(_wanted(), mirror).surroundings
            derived = after
