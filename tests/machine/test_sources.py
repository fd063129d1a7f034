"""The source of a packet where `ip route get` cannot tell; tests/property has what it can tell."""

from nfmasq.machine.routes import Routes, network_key
from nfmasq.machine.rtnetlink import MAIN, Address, Hop, Way
from nfmasq.machine.sources import Choice, Selection

WAN, LAN, LO = 4, 2, 1
MODEM, PUBLIC, LOOPBACK = 0xC0A86402, 0xCB007102, 0xC0000209
GATEWAY = 0xCB007101
DEFAULT = 0


def _address(
    interface: int, local: int, length: int = 24, scope: int = 0, secondary: bool = False
) -> Address:
    return Address(interface, local, local, length, scope, secondary)


def _way(gateway: int = 0, prefsrc: int = 0, scope: int = 0, priority: int = 0) -> Way:
    return Way(MAIN, 0, priority, 1, scope, 3, prefsrc, (Hop(WAN, gateway),))


def _choose(
    addresses: list[Address], *routes: tuple[int, Way], foreign: frozenset[int] = frozenset()
) -> Choice:
    by_interface: dict[int, list[Address]] = {}
    for address in addresses:
        by_interface.setdefault(address.interface, []).append(address)
    selection = Selection(WAN, by_interface, foreign)
    return selection.choose(Routes(routes), lambda way: way.hops)


def test_the_address_in_the_gateways_subnet_goes_with_the_default_route() -> None:
    addresses = [_address(WAN, MODEM), _address(WAN, PUBLIC)]
    assert _choose(addresses, (DEFAULT, _way(GATEWAY))).usual == PUBLIC
    assert _choose(addresses, (DEFAULT, _way())).usual == MODEM


def test_secondary_addresses_and_too_narrow_ones_are_passed_over() -> None:
    addresses = [
        _address(WAN, MODEM, scope=253),
        _address(WAN, PUBLIC + 1, secondary=True),
        _address(WAN, PUBLIC),
    ]
    assert _choose(addresses, (DEFAULT, _way())).usual == PUBLIC
    assert _choose(addresses, (DEFAULT, _way(scope=253))).usual == MODEM


def test_an_address_of_another_interface_only_if_there_is_none_and_it_is_of_no_side() -> None:
    addresses = [_address(LAN, MODEM), _address(LO, LOOPBACK, 32)]
    assert _choose(addresses, (DEFAULT, _way()), foreign=frozenset({LAN})).usual == LOOPBACK
    assert _choose(addresses[:1], (DEFAULT, _way()), foreign=frozenset({LAN})).usual == 0


def test_a_network_that_says_what_the_one_around_it_says_is_left_out() -> None:
    wide, inner, innermost = network_key(8 << 24, 8), network_key(8 << 24, 16), network_key(8 << 24, 24)
    addresses = [_address(WAN, PUBLIC), _address(WAN, MODEM)]
    choice = _choose(
        addresses,
        (DEFAULT, _way(GATEWAY)),
        (wide, _way(prefsrc=MODEM)),
        (inner, _way(GATEWAY)),
        (innermost, _way(prefsrc=PUBLIC)),
        (network_key(9 << 24, 8), _way(GATEWAY)),
    )
    assert choice.others == ((inner, PUBLIC), (wide, MODEM))


def test_the_lowest_metric_decides_between_two_of_one_network() -> None:
    wide = network_key(8 << 24, 8)
    choice = _choose(
        [_address(WAN, PUBLIC), _address(WAN, MODEM)],
        (wide, _way(prefsrc=MODEM, priority=9)),
        (wide, _way(prefsrc=PUBLIC, priority=3)),
    )
    assert choice.others == ()
