"""The helpers of a daemon that runs: those of others, what a reload does, and what ends with the daemon."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from nfmasq.cli import main
from nfmasq.lab.router import DaemonUnderLab


def names(daemon: DaemonUnderLab) -> dict[str, bool]:
    """Which helpers there are, and which are enabled."""
    return {row["name"]: row["enabled"] for row in daemon.api("/v1/helpers")["helpers"]}


@pytest.fixture
def installed(others: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the helpers of others are; a daemon started now finds them."""
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{others}{os.pathsep}{path}")
    return others


@pytest.mark.usefixtures("installed")
def test_a_broken_helper_of_others_is_one_warning_and_the_rest_works(prepared: DaemonUnderLab) -> None:
    prepared.write_config({"helpers": {"telephone": True}})
    prepared.start()
    assert names(prepared).items() >= {"ftp": True, "irc": False, "telephone": True}.items()
    now = prepared.api("/v1/status")
    assert now["state"] == "ok"
    (told,) = [line for line in now["warnings"] if "broken" in line]
    assert told.startswith("helpers.broken: cannot be loaded: ModuleNotFoundError")
    assert prepared.log.count("helpers.broken") == 1
    assert "Traceback" not in prepared.log
    assert 'helper="telephone"' in "".join(prepared.metrics())


@pytest.mark.usefixtures("installed")
def test_check_knows_helpers_of_others(prepared: DaemonUnderLab) -> None:
    prepared.write_config({"helpers": {"telefone": True, "irk": False}})
    checked = CliRunner().invoke(main, ["check", str(prepared.config_path)])
    assert checked.exit_code == 5
    said = checked.stderr
    assert 'helpers.telefone: there is no helper "telefone"; did you mean "telephone"?' in said
    assert 'helpers.irk: there is no helper "irk"; did you mean "irc"?' in said


def test_a_reload_with_a_wrong_helper_changes_nothing(daemon: DaemonUnderLab) -> None:
    daemon.cli("helpers", "enable", "irc")
    daemon.write_config({"helpers": {"fpt": True}})
    assert 'did you mean "ftp"?' in daemon.cli("reload", check=False)
    assert names(daemon).items() >= {"ftp": True, "irc": True}.items()
    daemon.config["helpers"] = {"ftp": False}
    daemon.write_config({})
    assert "reloaded" in daemon.cli("reload")
    assert names(daemon).items() >= {"ftp": False, "irc": False}.items()


def test_a_helpers_change_is_logged_and_the_daemon_ends_cleanly(daemon: DaemonUnderLab) -> None:
    daemon.cli("helpers", "disable", "ftp", "--internal", "192.168.1.0/24")
    assert "helper ftp disabled for 192.168.1.0/24 on request" in daemon.log
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log
