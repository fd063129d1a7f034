"""Whether rules changed, whoever changed them and with which program."""

from collections.abc import Iterator

import pytest
from support.path import Path

from nfmasq.machine.rule_changes import RuleChanges

pytestmark = pytest.mark.root


@pytest.fixture
def changes(path: Path) -> Iterator[RuleChanges]:
    """Of the router, after the first look."""
    made = path.router.call(RuleChanges)
    path.router.call(made.seen)
    yield made
    made.close()


@pytest.mark.parametrize(
    "change",
    [
        "nft add table ip other",
        "iptables-nft -t raw -A PREROUTING -j ACCEPT",
        "iptables-legacy -t raw -A PREROUTING -j ACCEPT",
        "iptables-legacy -t nat -A POSTROUTING -j MASQUERADE",
    ],
)
def test_a_change_is_seen_once(path: Path, changes: RuleChanges, change: str) -> None:
    assert not path.router.call(changes.seen)
    path.router.run(*change.split())
    assert path.router.call(changes.seen)
    assert not path.router.call(changes.seen)


def test_nothing_is_seen_after_the_end(changes: RuleChanges) -> None:
    changes.close()
    changes.close()


@pytest.mark.parametrize(
    ("change", "tables"),
    [
        ("nft add table ip other", {"ip other"}),
        ("nft add table inet other", {"inet other"}),
        ("iptables-nft -t nat -A POSTROUTING -j ACCEPT", {"ip nat"}),
        ("iptables-legacy -t raw -A PREROUTING -j ACCEPT", {"ip raw"}),
    ],
)
def test_the_tables_that_changed_are_named(
    path: Path, changes: RuleChanges, change: str, tables: set[str]
) -> None:
    path.router.run(*change.split())
    touched = path.router.call(changes.seen)
    assert touched.tables == tables
    assert not touched.every
