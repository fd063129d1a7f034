"""An address belongs to one uplink, and what there is no room for is told."""

from ipaddress import IPv4Address, IPv4Network

from nfmasq.machine.uplinks import Outside, Room, Source, within_room

FIRST, SECOND = IPv4Address("203.0.113.2"), IPv4Address("198.51.100.2")
EVERYWHERE = IPv4Network("0.0.0.0/0")


def _outside(name: str, *addresses: IPv4Address) -> Outside:
    sources = tuple(Source(EVERYWHERE, address) for address in addresses[:1])
    return Outside(name, 3, 1500, addresses, addresses[:1], sources)


def test_an_address_of_two_uplinks_is_the_first_ones() -> None:
    kept, problems = within_room([_outside("wan0", FIRST), _outside("wan1", FIRST, SECOND)], Room())
    assert [outside.addresses for outside in kept] == [(FIRST,), (SECOND,)]
    assert (kept[1].pooled, kept[1].sources) == ((), ())
    assert [str(FIRST) in each and "wan1" in each for each in problems] == [True]


def test_addresses_handed_out_come_before_others_where_room_is_short() -> None:
    outside = Outside("wan0", 3, 1500, (FIRST, SECOND), (SECOND,), (Source(EVERYWHERE, SECOND),))
    kept, problems = within_room([outside], Room(external_addresses=1))
    assert kept[0].addresses == kept[0].pooled == (SECOND,)
    assert len(problems) == 1


def test_uplinks_beyond_the_most_are_left_out() -> None:
    kept, problems = within_room([_outside("wan0", FIRST), _outside("wan1", SECOND)], Room(uplinks=1))
    assert [outside.name for outside in kept] == ["wan0"]
    assert [each.startswith("wan1") for each in problems] == [True]
