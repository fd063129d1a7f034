"""The bells that ring when interfaces, routes or rules may have changed."""

import select

import pytest
from support.path import Path

from nfmasq.config import Config
from nfmasq.diversion import Diversion, DiversionPlan, guard
from nfmasq.machine.interfaces import read_uplink
from nfmasq.machine.watches import LinkWatch, RulesWatch

pytestmark = pytest.mark.root


def _quiet(watch: LinkWatch | RulesWatch) -> None:
    """Wait until what happened before the test has rung."""
    while select.select([watch], [], [], 0.2)[0]:
        watch.drain()


def _rings(watch: LinkWatch | RulesWatch) -> bool:
    return bool(select.select([watch], [], [], 5)[0]) and watch.drain()


@pytest.mark.parametrize(
    "change",
    [
        "address add 198.51.100.9/24 dev wan0",
        "address del 203.0.113.1/24 dev wan0",
        "link set wan0 down",
        "link set wan0 name wan1",
        "link add veth9 type veth peer name veth8",
        "route add 10.1.0.0/16 via 192.168.1.2",
    ],
)
def test_the_link_watch_rings_when_the_uplink_changes(path: Path, change: str) -> None:
    with path.router.call(LinkWatch) as watch:
        _quiet(watch)
        path.router.run("ip", *change.split())
        assert _rings(watch)


def test_reading_the_uplink_rings_no_bell(path: Path) -> None:
    nat = Config.model_validate({"nat": {"internal": ["lan0"], "external": "wan0"}}).nat
    with path.router.call(LinkWatch) as watch:
        _quiet(watch)
        path.router.call(read_uplink, nat)
        assert not watch.drain()


@pytest.mark.parametrize(
    "change",
    [
        "iptables -t mangle -F",
        "iptables -t raw -A PREROUTING -j ACCEPT",
        "nft flush ruleset",
        "nft add table ip other",
    ],
)
def test_the_rules_watch_rings_when_others_change_rules(path: Path, plan: DiversionPlan, change: str) -> None:
    path.router.call(guard.install, plan)
    path.router.run("iptables", "-t", "mangle", "-A", "POSTROUTING", "-j", "ACCEPT")
    with path.router.call(RulesWatch) as watch:
        assert not watch.drain()
        path.router.run(*change.split())
        assert _rings(watch)


def test_looking_after_the_rules_rings_no_bell(path: Path, diversion: Diversion, plan: DiversionPlan) -> None:
    path.router.call(guard.install, plan)
    path.router.call(diversion.install, plan)
    with path.router.call(RulesWatch) as watch:
        assert path.router.call(diversion.present)
        assert path.router.call(guard.present)
        assert not watch.drain()


def test_a_bell_nobody_hears_for_long_still_rings(path: Path) -> None:
    with path.router.call(LinkWatch) as watch:
        _quiet(watch)
        path.router.ip(*(f"route add 10.{a}.{b}.0/24 dev lan0" for a in range(8) for b in range(250)))
        assert _rings(watch)
        assert not watch.drain()
        path.router.ip("route add 172.16.0.0/12 dev lan0")
        assert _rings(watch)
