"""Which inside addresses are translated: what the narrowest [[network]] says, else private ones."""

from ipaddress import IPv4Address, IPv4Network

from nfmasq.machine.inside import PRIVATE, Fate, fates, fates_of_everything
from nfmasq.machine.ranges import EVERYTHING, range_of


def _fate(address: str, wanted: list[tuple[str, bool]]) -> Fate:
    number = int(IPv4Address(address))
    parts = list(fates([EVERYTHING], fates_of_everything((IPv4Network(n), value) for n, value in wanted)))
    (found,) = [fate for first, last, fate in parts if first <= number <= last]
    return found


def test_private_addresses_are_translated_and_public_ones_are_not() -> None:
    for block in PRIVATE:
        first, last = (str(IPv4Address(each)) for each in range_of(block))
        assert _fate(first, []) is _fate(last, []) is Fate.TRANSLATED
    for public in ("9.255.255.255", "11.0.0.0", "100.128.0.0", "172.32.0.0", "192.169.0.0", "8.8.8.8"):
        assert _fate(public, []) is Fate.PUBLIC


def test_the_narrowest_network_that_says_something_decides() -> None:
    wanted = [("0.0.0.0/0", True), ("10.0.0.0/8", False), ("10.1.0.0/16", True)]
    assert _fate("8.8.8.8", wanted) is Fate.TRANSLATED
    assert _fate("10.2.0.0", wanted) is Fate.NOT_WANTED
    assert _fate("10.1.2.3", wanted) is Fate.TRANSLATED
    assert _fate("192.168.1.1", [("0.0.0.0/0", False)]) is Fate.NOT_WANTED
