"""The bells that ring when rules may have changed."""

import select
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.path import Path

from nfmasq.diversion import Diversion, DiversionPlan, guard
from nfmasq.machine.watches import EVERYTHING, NOTHING, RulesWatch, Touched, touched_by

pytestmark = pytest.mark.root


def _rings(watch: RulesWatch) -> bool:
    return bool(select.select([watch], [], [], 5)[0]) and bool(watch.drain())


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


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("add set ip other some { type ipv4_addr; }", "ip other"),
        ("add element ip other there { 192.0.2.1 }", "ip other"),
        ("add chain ip other more", "ip other"),
        ("add rule ip other chained accept", "ip other"),
        ("add counter ip other counted", "ip other"),
        ("flush chain ip other chained", "ip other"),
        ("delete table ip other", "ip other"),
        ("flush ruleset", "ip other"),
        ("add table ip6 sixth", "ip6 sixth"),
    ],
)
def test_whatever_changes_in_a_table_names_it(path: Path, change: str, table: str) -> None:
    path.router.run("nft", "add table ip other\nadd set ip other there { type ipv4_addr; }")
    path.router.run("nft", "add chain ip other chained\nadd rule ip other chained accept")
    with path.router.call(RulesWatch) as watch:
        path.router.run("nft", change)
        touched = watch.drain()
    assert touched.tables == {table}
    assert not touched.every


def test_lost_events_may_have_touched_every_table(path: Path) -> None:
    with path.router.call(RulesWatch) as watch:
        for first in range(0, 20000, 2000):
            tables = (f"add table ip other{number}\n" for number in range(first, first + 2000))
            path.router.run("nft", "".join(tables))
        assert watch.drain().every


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_odd_bytes_are_a_change_of_some_table_or_of_all(data: bytes) -> None:
    assert isinstance(touched_by(data), Touched)


@pytest.mark.parametrize("cut", [1, 19, 21, 30])
def test_a_message_that_is_cut_off_touches_every_table(cut: int) -> None:
    whole = struct.pack("=IHHIIB3xHH4s", 28, 10 << 8, 0, 0, 0, 2, 8, 1, b"raw\0")
    assert touched_by(whole) == Touched(frozenset({"ip raw"}))
    assert touched_by(whole[: len(whole) - cut]).every


def test_what_is_touched_is_told_from_what_is_not() -> None:
    touched = Touched(frozenset({"ip raw", "ip nfmasq"}))
    assert touched.meets(frozenset({"ip raw"}))
    assert not touched.meets(frozenset({"ip mangle"}))
    assert touched.goes_beyond(frozenset({"ip nfmasq"}))
    assert not touched.goes_beyond(frozenset({"ip raw", "ip nfmasq"}))
    assert EVERYTHING.meets(frozenset({"ip mangle"}))
    assert EVERYTHING.goes_beyond(frozenset({"ip raw"}))
    assert (touched | EVERYTHING).every
    assert not NOTHING
