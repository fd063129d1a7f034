"""`nfmasq bench` as a user runs it, in its shortest form. How fast it is, is nothing for a test."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nfmasq.bench import injector
from nfmasq.bench.datagrams import FLOWS, MANY_FLOWS
from nfmasq.bench.measures import MEASURES
from nfmasq.bench.variants import EXTRA, VARIANTS
from nfmasq.lab.programs import python_environment, sbin_too
from nfmasq.lab.waiting import wait_until

BENCH = (sys.executable, "-m", "nfmasq", "bench")
SHORTEST = ("--rounds", "1", "--seconds", "0.5")


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, check=False, env=python_environment(), capture_output=True, text=True, timeout=110
    )


def _only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def _figures(*options: str) -> dict[str, Any]:
    done = _run(*BENCH, *SHORTEST, "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _children(pid: int) -> set[int]:
    """Every process below this one."""
    found: set[int] = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listed.read_text().split()):
            found |= {child} | _children(child)
    return found


def _alive(pid: int) -> bool:
    """Does the process live (a zombie does not)?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.root
def test_every_variant_forwards_and_translates_as_its_name_says() -> None:
    """A bed in which the server does not see the right client is an error of the whole run."""
    report = _figures(*_only("round-trip"))
    assert report["notes"] == []
    read = {row["variant"] for row in report["figures"] if row["median"] > 0}
    assert read == {variant.name for variant in VARIANTS}


@pytest.mark.root
def test_every_measure_is_taken() -> None:
    wanted = [measure.name for measure in MEASURES]
    report = _figures(*_only(*wanted, "nfmasq", "masquerade"))
    rows = {(row["figure"], row["variant"]): row["median"] for row in report["figures"]}
    for measure in MEASURES:
        for figure in measure.figures:
            assert rows[figure.name, "nfmasq"] > 0, figure.name
    counted = report["counted"]["nfmasq"]
    assert counted["refused"] == 0
    assert counted["dropped"] == {}
    assert {row["figure"] for row in report["targets"]} >= {"bulk-up", "bulk-down", "connections"}


@pytest.mark.root
def test_small_packets_are_of_64_flows() -> None:
    """A session each, and one of the question who the server sees."""
    report = _figures(*_only("small-packets", "nfmasq"))
    assert report["counted"]["nfmasq"]["sessions_created"] == FLOWS + 1


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


@pytest.mark.root
def test_people_get_tables_and_progress() -> None:
    done = _run(*BENCH, *SHORTEST, *_only("round-trip", "floor", "nfmasq"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^round trip, median +[\d.]+ +[\d.]+ +µs$", done.stdout, re.MULTILINE)
    assert re.search(
        r"^(ok|short) +round trip, median / floor +[\d.]+ +at most 1.1 ", done.stdout, re.MULTILINE
    )
    assert "round 1 of 1: round trip, median, nfmasq" in done.stderr


@pytest.mark.root
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_however_it_ends_nothing_stays(how: signal.Signals) -> None:
    bench = subprocess.Popen(
        [*BENCH, *_only("small-packets", "floor", "nfmasq")],
        env=python_environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert bench.stderr is not None
        while "small packets, floor" not in bench.stderr.readline():
            assert bench.poll() is None
        wait_until(lambda: len(_children(bench.pid)) >= 5, "two routers and the senders to run", 20)
        family = _children(bench.pid)
        bench.send_signal(how)
        bench.wait(20)
    finally:
        bench.kill()
        said = bench.communicate()[1]
    wait_until(lambda: not any(map(_alive, family)), "every program of the bench to be gone")
    if how is signal.SIGINT:
        assert bench.returncode == 1
        assert said.splitlines()[-1] == "nfmasq: bench: stopped"
        assert "Traceback" not in said


def test_without_root_it_says_so_and_ends_with_4() -> None:
    """The interpreter may be where only root can read it, so the program gives root up after loading."""
    program = "import os; from nfmasq.cli.bench import bench; os.setuid(65534); bench()"
    done = _run(sys.executable, "-c", program)
    assert done.returncode == 4
    assert "needs root" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.root
def test_a_missing_program_is_named_with_its_package() -> None:
    hide = f"mount --bind /dev/null {os.path.realpath(shutil.which('iperf3', path=sbin_too()) or '')}"
    done = _run("unshare", "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh", *BENCH)
    assert done.returncode == 1
    assert "apt-get install iperf3" in done.stderr


def test_a_wrong_name_lists_the_right_ones() -> None:
    done = _run(*BENCH, "--only", "flor")
    assert done.returncode == 2
    for name in ("small-packets", "memory", "rewriting-floor", "scapy"):
        assert name in done.stderr
