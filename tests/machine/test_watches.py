"""The bells that ring when rules may have changed."""

import select

import pytest
from support.path import Path

from nfmasq.diversion import Diversion, DiversionPlan, guard
from nfmasq.machine.watches import RulesWatch

pytestmark = pytest.mark.root


def _rings(watch: RulesWatch) -> bool:
    return bool(select.select([watch], [], [], 5)[0]) and watch.drain()


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
    with path.router.call(RulesWatch) as watch:
        tables = "".join(f"add table ip other{number}\n" for number in range(2000))
        path.router.run("nft", tables)
        assert _rings(watch)
        assert not watch.drain()
        path.router.run("nft", "add table ip last")
        assert _rings(watch)
