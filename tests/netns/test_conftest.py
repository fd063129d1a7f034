"""A test of a lab that fails says in its report what is needed to understand it, without another run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

FAILING = """
from nfmasq.lab.clients import ask
from nfmasq.lab.programs import ProgramError

LAB = {"megabytes": 2, "config": {"limits": {"new_per_second": 1}}}

def knocks(lab):
    echo = lab.topology.server1_address, 7
    for port in range(5000, 5004):
        try:
            ask(lab.topology.client1, echo, b"x", source_port=port, tries=1)
        except ProgramError:
            pass

def test_with_the_module_s_lab(lab):
    knocks(lab)
    assert False

def test_with_a_lab_of_its_own(make_lab):
    knocks(make_lab(config=LAB["config"]))
    assert False

def test_that_passes(lab):
    knocks(lab)

def test_of_a_daemon_that_is_gone(lab, daemon):
    daemon.kill()
    assert False
"""


@pytest.fixture(scope="module")
def report(as_root: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints of failing tests."""
    written = tmp_path_factory.mktemp("failing") / "test_failing.py"
    written.write_text(FAILING, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "netns.conftest", "-rA", str(written)]
    where = {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir", str(written.parent)],
        env=os.environ | where, cwd=written.parent, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    return done.stdout


def section_of(report: str, test: str) -> str:
    """What the report says of one failure."""
    _, _, behind = report.partition(f"_ {test} _")
    return behind.partition("\n____")[0].partition("nfmasq on the router")[2]


@pytest.mark.parametrize("test", ["test_with_the_module_s_lab", "test_with_a_lab_of_its_own"])
def test_a_failure_shows_drops_problems_and_the_log(report: str, test: str) -> None:
    section = section_of(report, test)
    assert "'rate_exceeded': " in section, report
    assert "problems: " in section
    assert "internal addresses on the WAN: none" in section
    assert "lines of the log:\n" in section


def test_what_cannot_be_had_any_more_hides_nothing_else(report: str) -> None:
    section = section_of(report, "test_of_a_daemon_that_is_gone")
    assert "problems: cannot be had (DaemonError: " in section, report
    assert "lines of the log:\n" in section


def test_a_test_that_passes_says_nothing(report: str) -> None:
    """The three that fail do; one of them twice, for its end fails too."""
    assert "PASSED test_failing.py::test_that_passes" in report
    assert report.count("- nfmasq on the router -") == 4, report
