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

from nfmasq.bench.datagrams import FLOWS
from nfmasq.bench.measures import MEASURES
from nfmasq.bench.variants import VARIANTS
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
    for name in ("small-packets", "round-trip", "rewriting-floor", "scapy"):
        assert name in done.stderr


@pytest.mark.parametrize("options", [["--report"], ["--report", "page.md"], ["--core"]], ids=" ".join)
def test_an_option_for_developers_says_where_it_went(options: list[str]) -> None:
    done = _run(*BENCH, *options)
    assert done.returncode == 2
    assert f"python -m perf {options[0]}" in done.stderr
    assert options[0] not in _run(*BENCH, "--help").stdout
