"""The uplink on a router of its own: addresses and routes that come and go."""

from ipaddress import IPv4Address

import pytest
from support.behind import CLIENT, EXTERNAL, filled, speak
from support.supervisors import Recording, supervised, supervisor

from nfmasq.diversion import probe
from nfmasq.lab.namespace import Namespace


def test_the_first_address_that_stays_is_no_change(router: Namespace) -> None:
    made = supervisor(router)
    router.call(made.begin)
    router.ip("address add 198.51.100.7/24 dev wan0")
    router.call(made.reconcile)
    assert made.situation().external_addresses[0] == IPv4Address("203.0.113.2")
    assert made.situation().address_changes == 0
    router.ip("address del 203.0.113.2/24 dev wan0")
    router.call(made.reconcile)
    assert made.situation().address_changes == 1
    router.call(made.withdraw, False)


def test_sessions_outlive_an_interface_that_goes_and_comes_back(router: Namespace) -> None:
    table = filled()
    made = supervised(table, router.call(probe))
    router.call(made.begin)
    speak(table, CLIENT, 5000)
    router.ip("link del wan0")
    router.call(made.reconcile)
    assert "interface wan0 does not exist" in "; ".join(made.situation().problems)
    router.ip("link add wan0 type bridge", f"address add {EXTERNAL}/24 dev wan0", "link set wan0 up")
    router.call(made.reconcile)
    assert made.situation().problems == ()
    assert CLIENT in table.hosts()
    router.ip(f"address del {EXTERNAL}/24 dev wan0")
    router.call(made.reconcile)
    assert CLIENT in table.hosts(), "nobody knows yet whether the address comes back"
    router.ip("address add 203.0.113.99/24 dev wan0")
    router.call(made.reconcile)
    assert not table.hosts(), "a session outlived its address"
    router.call(made.withdraw, False)


def test_addresses_that_are_inside_and_outside_are_told_once_and_as_long_as_it_is_so(
    router: Namespace, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 4787 REQ-7."""
    made = supervisor(router, Recording())
    router.call(made.begin)
    assert made.situation().warnings == ()
    router.ip("route add 192.168.1.128/25 dev wan0")
    for _ in range(2):
        router.call(made.reconcile)
    (told,) = made.situation().warnings
    assert "192.168.1.128/25 is behind lan0 and on the side of wan0" in told
    assert "renumber one side" in told
    assert caplog.messages.count(told) == 1
    router.ip("route del 192.168.1.128/25 dev wan0")
    router.call(made.reconcile)
    assert made.situation().warnings == ()
    router.call(made.withdraw, False)
