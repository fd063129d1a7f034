"""The tables of others are read once, by no more programs than can have something to say."""

import pytest
from support.path import Path

from nfmasq.diversion import Diversion, DiversionPlan, foreign_problems, foreign_tables, others_lead_inside
from nfmasq.diversion.foreign_tables import Others, read_others
from nfmasq.machine.programs import Outcome, run

pytestmark = pytest.mark.root


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were started to read tables."""
    names = []

    def noted(*command: str, script: str = "") -> Outcome:
        names.append(command[0])
        return run(*command, script=script)

    monkeypatch.setattr(foreign_tables, "run", noted)
    return names


def test_without_tables_of_iptables_nft_alone_is_asked(path: Path, started: list[str]) -> None:
    path.router.run("nft", "add table ip other")
    path.router.call(read_others)
    assert started == ["nft"]


def test_tables_over_nft_are_read_as_iptables_prints_them(path: Path, started: list[str]) -> None:
    path.router.run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
    others: Others = path.router.call(read_others)
    assert started == ["nft", "iptables-nft-save"]
    assert others.by_iptables.keys() == {"nat"}
    assert others.by_nft == ()


def test_legacy_tables_are_read_where_there_are_some(path: Path, started: list[str]) -> None:
    path.router.run("iptables-legacy", "-t", "mangle", "-A", "FORWARD", "-j", "ACCEPT")
    others: Others = path.router.call(read_others)
    assert "iptables-legacy-save" in started
    assert "mangle" in others.legacy


def test_one_reading_answers_every_question(path: Path, plan: DiversionPlan, started: list[str]) -> None:
    path.router.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wan0", "-j", "MASQUERADE")
    path.router.run(
        "iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "-j", "DNAT", "--to", "10.0.0.9"
    )
    others: Others = path.router.call(read_others)
    read = len(started)
    assert others_lead_inside(others)
    assert any("MASQUERADE" in problem for problem in path.router.call(foreign_problems, plan, others))
    assert len(started) == read <= 3


def test_tables_of_ours_are_no_others(path: Path, diversion: Diversion, plan: DiversionPlan) -> None:
    path.router.call(diversion.install, plan)
    others: Others = path.router.call(read_others)
    assert others.by_nft == ()
