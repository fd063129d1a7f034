"""`python -m perf` in its shortest form. How fast it is, is nothing for a test."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nfmasq.bench.datagrams import MANY_FLOWS
from nfmasq.lab.programs import python_environment
from perf import injector
from perf.variants import EXTRA

BENCH = (sys.executable, "-m", "perf")
SHORTEST = ("--rounds", "1", "--seconds", "0.5")


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, check=False, env=python_environment("perf"), capture_output=True, text=True, timeout=110
    )


def _only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def _figures(*options: str) -> dict[str, Any]:
    done = _run(*BENCH, *SHORTEST, "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.root
def test_memory_is_that_of_a_real_daemon_and_a_full_table() -> None:
    report = _figures(*_only("memory"))
    assert report["memory"]["idle_bytes"] > 10e6
    assert report["memory"]["table"]["sessions"] == 1_000_000
    assert [row["figure"] for row in report["targets"]] == ["idle", "session", "restart"]


@pytest.mark.root
def test_whatever_stands_beside_it_forwards_and_translates_or_says_what_to_install() -> None:
    report = _figures(*_only("round-trip", *(variant.name for variant in EXTRA)))
    read = {row["variant"] for row in report["figures"] if row["median"]}
    assert read | set(report["skipped"]) == {variant.name for variant in EXTRA}
    assert all("apt-get install" in reason for reason in report["skipped"].values()), report["skipped"]
    assert report["counted"]["nfmasq-million"]["sessions_created"] > 1_000_000


@pytest.mark.root
def test_beside_a_flood_others_ask_and_are_answered() -> None:
    read = {row["figure"]: row["median"] for row in _figures(*_only("beside-flood", "nfmasq"))["figures"]}
    assert 0 < read["beside-flood"] <= 1
    assert read["beside-flood-time"] > 0


@pytest.mark.root
def test_overload_is_of_packets_the_router_translates() -> None:
    report = _figures(*_only("overload", "nfmasq"))
    kept = next(row for row in report["figures"] if row["figure"] == "overload-kept")
    assert 0 < kept["median"] <= 1
    assert kept["capacity"] > 1000
    assert kept["most offered"] > 0
    counted = report["counted"]["nfmasq"]
    assert counted["dropped"] == {}
    assert counted["sessions_created"] == injector.FLOWS + 1


@pytest.mark.root
def test_many_flows_are_as_many_sessions() -> None:
    report = _figures(*_only("small-packets-many", "nfmasq"))
    assert report["counted"]["nfmasq"]["sessions_created"] == MANY_FLOWS + 1


@pytest.mark.root
def test_the_short_report_is_a_page_with_its_plots(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    done = _run(
        *BENCH, "--quick", "--report", str(page),
        *_only("round-trip", "instructions", "nfmasq", "masquerade", "pasta"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    for heading in ("Method", "Round trip", "Instructions"):
        assert f"\n## {heading}\n" in text
    shown = re.findall(r"\]\((.*?)\)", text)
    assert {path.name for path in (tmp_path / "performance").iterdir()} == {Path(path).name for path in shown}
    assert "| UDP, 64 bytes, out |" in text
    assert str(page) in done.stdout


@pytest.mark.root
@pytest.mark.parametrize(
    ("place", "complaint"),
    [("nowhere/report.md", "no such directory"), ("report", "give it a suffix")],
)
def test_a_report_that_cannot_be_written_is_an_error_before_the_run(
    tmp_path: Path, place: str, complaint: str
) -> None:
    done = _run(*BENCH, "--report", str(tmp_path / place))
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
