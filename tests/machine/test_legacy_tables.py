"""Changes of legacy iptables rules are seen without a program being started."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.machine.legacy_tables import LegacyTables, without_counters

pytestmark = pytest.mark.root


@pytest.fixture
def router(as_root: None) -> Iterator[Namespace]:
    if shutil.which("iptables-legacy", path="/usr/sbin:/sbin:/usr/bin") is None:
        pytest.skip("iptables-legacy is not installed")
    with Namespace("router") as made:
        yield made


def _iptables(router: Namespace, *rules: str) -> None:
    for rule in rules:
        router.run("iptables-legacy", "-w", *rule.split())


def test_a_namespace_without_tables_has_no_changes_and_gets_no_tables(router: Namespace) -> None:
    tables = LegacyTables()
    assert router.call(tables.changed) == frozenset()
    assert router.run("cat", "/proc/net/ip_tables_names") == ""


@pytest.mark.parametrize(
    "change",
    [
        "-t raw -A PREROUTING -s 192.0.2.0/24 -j DROP",
        "-t raw -I PREROUTING -s 192.0.2.0/24 -j DROP",
        "-t raw -F PREROUTING",
        "-t raw -R PREROUTING 1 -s 198.51.100.8 -j ACCEPT",
        "-t raw -P PREROUTING DROP",
        "-t raw -N others",
    ],
)
def test_a_change_is_seen_once_and_only_of_its_table(router: Namespace, change: str) -> None:
    _iptables(router, "-t raw -A PREROUTING -s 198.51.100.7 -j ACCEPT", "-t mangle -L")
    tables = LegacyTables()
    assert router.call(tables.changed) == {"raw", "mangle"}
    assert router.call(tables.changed) == frozenset()
    _iptables(router, change)
    assert router.call(tables.changed) == {"raw"}
    assert router.call(tables.changed) == frozenset()


def test_traffic_that_is_counted_is_no_change(router: Namespace) -> None:
    _iptables(router, "-t raw -A OUTPUT -p icmp", "-t raw -A OUTPUT -m limit --limit 1/s")
    tables = LegacyTables()
    router.call(tables.changed)
    router.run("ping", "-c", "3", "-i", "0.1", "127.0.0.1")
    assert "[6:" in router.run("iptables-legacy-save", "-c", "-t", "raw")
    assert router.call(tables.changed) == frozenset()


def test_other_namespaces_are_not_looked_at_and_no_program_is_started(
    router: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Namespace("other") as other:
        _iptables(router, "-t raw -A PREROUTING -j ACCEPT")
        tables = LegacyTables()
        router.call(tables.changed)
        _iptables(other, "-t raw -A PREROUTING -j ACCEPT")
        monkeypatch.setattr(subprocess, "Popen", None)
        assert router.call(tables.changed) == frozenset()
        assert other.call(LegacyTables(("raw",)).changed) == {"raw"}
        monkeypatch.undo()


@pytest.mark.parametrize("rules", [bytes(50), bytes(112), bytes(90) + b"\xff\xff" + bytes(100)])
def test_rules_with_wrong_lengths_are_an_error(rules: bytes) -> None:
    with pytest.raises(OSError):
        without_counters(rules)
