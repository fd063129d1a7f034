"""The session table's file."""

import shutil
import subprocess
from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of
from nfmasq.core.arena import size_of
from nfmasq.doctor import Check
from nfmasq.machine import memory
from nfmasq.machine.filesystems import filesystem

pytestmark = pytest.mark.root


def test_a_state_file_on_a_disk_is_warned_of(router: Path, tmp_path: FilePath) -> None:
    kind = filesystem(tmp_path)[1]
    if kind == "tmpfs":
        pytest.skip("the place for temporary files is on a tmpfs here")
    check = answers_of(router, config_of(tmp_path / "state"))["state file"]
    assert (check.status, kind in check.why) == ("warn", True)


def test_a_state_file_that_cannot_be_written_fails(router: Path, tmp_path: FilePath) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert answers_of(router, config_of(tmp_path / "file" / "state"))["state file"].status == "fail"


def test_a_file_of_another_program_fails_and_stays(router: Path, tmp_path: FilePath) -> None:
    (tmp_path / "state").write_bytes(b"precious")
    check = answers_of(router, config_of(tmp_path / "state"))["state file"]
    assert (check.status, "no state file of nfmasq" in check.why) == ("fail", True)
    assert (tmp_path / "state").read_bytes() == b"precious"


def test_memory_too_short_for_the_sessions_is_warned_of(
    router: Path, state: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 100_000)
    check = answers_of(router, config_of(state))["state file"]
    assert (check.status, "memory" in check.why) == ("warn", True)


def test_a_file_system_too_small_for_the_sessions_is_warned_of(
    router: Path, state: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(state)
    needed = size_of(config.limits.sessions)
    free = shutil.disk_usage(state.parent)._replace(free=needed)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    assert answers_of(router, config)["state file"].status == "ok"
    free = free._replace(free=needed - 1)
    check = answers_of(router, config)["state file"]
    assert (check.status, "limits.sessions" in check.mend) == ("warn", True)
    assert f"{config.limits.sessions} sessions take {needed >> 20} MiB" in check.why


# The copy for after a reboot ------------------------------------------------------------------------------


def saved_in(router: Path, state: FilePath, saved: FilePath) -> Check:
    """What is said of a copy at this place."""
    return answers_of(router, config_of(state, engine={"saved": str(saved)}))["saved sessions"]


@pytest.mark.parametrize("place", ["sessions", "not there yet/sessions"])
def test_a_place_on_a_disk_for_the_copy_is_well(
    router: Path, state: FilePath, tmp_path: FilePath, place: str
) -> None:
    if filesystem(tmp_path)[1] == "tmpfs":
        pytest.skip("the place for temporary files is on a tmpfs here")
    assert saved_in(router, state, tmp_path / place).status == "ok"
    assert list(tmp_path.iterdir()) == [], "nothing is made by looking"


def test_a_copy_that_cannot_be_written_is_warned_of(
    router: Path, state: FilePath, tmp_path: FilePath
) -> None:
    (tmp_path / "file").write_bytes(b"")
    check = saved_in(router, state, tmp_path / "file" / "sessions")
    assert (check.status, "not writable" in check.why) == ("warn", True)


def test_a_copy_on_a_file_system_that_is_read_only_is_warned_of(
    router: Path, state: FilePath, tmp_path: FilePath
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", tmp_path], check=True)
    try:
        check = saved_in(router, state, tmp_path / "sessions")
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert (check.status, "not writable" in check.why) == ("warn", True)


def test_a_copy_that_a_reboot_would_lose_is_warned_of(router: Path, state: FilePath) -> None:
    check = saved_in(router, state, state.with_name("sessions"))
    assert (check.status, "a reboot empties" in check.why) == ("warn", True)


@pytest.mark.parametrize("name", ["sessions", "sessions.new"])
def test_what_is_not_ours_where_the_copy_is_made_is_named_and_stays(
    router: Path, state: FilePath, tmp_path: FilePath, name: str
) -> None:
    (tmp_path / name).write_bytes(b"precious")
    check = saved_in(router, state, tmp_path / "sessions")
    assert (check.status, f"{tmp_path / name} is another program's file" in check.why) == ("warn", True)
    assert (tmp_path / name).read_bytes() == b"precious"
