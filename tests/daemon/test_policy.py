"""The policy on a router of its own: addresses and routes that come and go."""

import errno
import os
import socket
from ipaddress import IPv4Address
from typing import NoReturn

import pytest
from support.behind import CLIENT, EXTERNAL, filled, speak
from support.supervisors import Recording, configured, supervised, supervisor

from nfmasq.core.policy import Own
from nfmasq.daemon.policy import MOST_SPANS
from nfmasq.daemon.supervise import Supervisor
from nfmasq.diversion import NoDiversion, probe
from nfmasq.lab.foreign import iptables
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
    router.ip("route add 192.168.1.0/24 dev wan0 metric 200")
    for _ in range(2):
        router.call(made.reconcile)
    (told,) = made.situation().warnings
    assert "192.168.1.0/24 is behind lan0 and on the side of wan0" in told
    assert "renumber one side" in told
    assert caplog.messages.count(told) == 1
    router.ip("route del 192.168.1.0/24 dev wan0 metric 200")
    router.call(made.reconcile)
    assert made.situation().warnings == ()
    router.call(made.withdraw, False)


def test_scattered_ports_beyond_the_range_are_few_spans(router: Namespace) -> None:
    """iptables takes fifteen ports in a rule."""
    table = filled()
    made = supervised(table, Recording())
    router.call(made.begin)
    for port in range(5000, 5200):
        speak(table, CLIENT, port)
    used = {row.external[1] for row in table.sessions(limit=1000)}
    router.call(made.adopt, configured(ports="60000-60999", low_ports=""))
    spans = made.policy.ports_beyond()
    assert 1 < len(spans) <= MOST_SPANS
    assert all(any(first <= port <= last for first, last in spans) for port in used)
    assert sum(last - first + 1 for first, last in spans) < max(used) - min(used)
    table.flush()
    assert made.policy.ports_beyond() == ()
    router.call(made.withdraw, False)


def test_what_the_router_takes_itself_is_read_for_a_default_host_alone(router: Namespace) -> None:
    tunnel: socket.socket = router.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, 47)
    with tunnel:
        made = supervisor(router, Recording())
        router.call(made.begin)
        assert _own(made) == ()
        router.call(made.add_forward, {"to": str(CLIENT)}, False)
        assert _own(made) == (Own(47),)
    router.call(made.reconcile)
    assert _own(made) == ()
    router.call(made.withdraw, False)


def _own(made: Supervisor) -> tuple[Own, ...]:
    assert made.policy.now is not None
    return made.policy.now.own


@pytest.mark.parametrize("diversion", ["recording", "none"])
def test_rules_of_others_that_lead_inside_are_known_from_the_first_rules_on(
    router: Namespace, diversion: str
) -> None:
    """With rules of one's own no look behind them comes, and the default host does not wait for it."""
    iptables(router, "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to 172.17.0.2")
    laid = Recording() if diversion == "recording" else NoDiversion()
    made = supervisor(router, laid)
    router.call(made.begin)
    assert made.policy.now is not None
    assert made.policy.now.others_lead == (diversion == "recording")
    if isinstance(laid, Recording):
        assert laid.plans[0].others_lead
        router.run("iptables", "-t", "nat", "-F")
        router.call(made.reconcile)
        assert not made.policy.now.others_lead
        assert not laid.plans[-1].others_lead
    router.call(made.withdraw, False)


def test_the_status_says_that_the_routers_tunnels_cannot_be_read_while_a_default_host_asks(
    router: Namespace,
) -> None:
    made = supervisor(router, Recording())
    router.call(made.begin)
    router.call(made.add_forward, {"to": str(CLIENT)}, False)
    assert made.situation().problems == ()
    assert made.policy._own is not None
    tunnels = made.policy._own._watched[0]
    tunnels._read, tunnels._due = _no_room, True
    for _ in range(2):
        router.call(made.reconcile)
        (told,) = made.situation().problems
        assert told == "the router's own tunnels cannot be read: No buffer space available"
    router.call(made.remove_forward, "any")
    assert made.situation().problems == ()
    router.call(made.withdraw, False)


def _no_room() -> NoReturn:
    raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
