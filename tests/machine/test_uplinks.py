"""An address may be of several uplinks, and what there is no room for is told."""

from ipaddress import IPv4Address, IPv4Network

from nfmasq.core.policy import Source
from nfmasq.machine.uplinks import Outside, Room, within_room

FIRST, SECOND = IPv4Address("203.0.113.2"), IPv4Address("198.51.100.2")
EVERYWHERE = IPv4Network("0.0.0.0/0")


def _outside(name: str, *addresses: IPv4Address) -> Outside:
    sources = tuple(Source(EVERYWHERE, address) for address in addresses[:1])
    return Outside(name, 3, 1500, addresses, addresses[:1], sources)


def test_an_address_of_two_uplinks_is_of_both_and_takes_room_once() -> None:
    both = [_outside("wan0", FIRST), _outside("wan1", FIRST, SECOND)]
    kept, problems = within_room(both, Room(external_addresses=2))
    assert list(kept) == both
    assert problems == []


def test_addresses_handed_out_come_before_others_where_room_is_short() -> None:
    outside = Outside("wan0", 3, 1500, (FIRST, SECOND), (SECOND,), (Source(EVERYWHERE, SECOND),))
    kept, problems = within_room([outside], Room(external_addresses=1))
    assert kept[0].addresses == kept[0].pooled == (SECOND,)
    assert len(problems) == 1


def test_uplinks_beyond_the_most_are_left_out() -> None:
    kept, problems = within_room([_outside("wan0", FIRST), _outside("wan1", SECOND)], Room(uplinks=1))
    assert [outside.name for outside in kept] == ["wan0"]
    assert [each.startswith("wan1") for each in problems] == [True]
