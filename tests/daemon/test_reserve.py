"""Room in the state file is reserved ahead of the sessions, by a thread of its own."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from perf.table import fill, new_table

from nfmasq._fastpath import Table
from nfmasq.core.arena import AHEAD
from nfmasq.daemon import reserve, start
from nfmasq.daemon.reserve import CROWDED, Reserver
from nfmasq.machine import memory


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """A table in a file, with room for the first sessions alone."""
    return new_table(400_000, path=str(tmp_path / "state"))


@pytest.fixture
def reserver(table: Table) -> Iterator[Reserver]:
    """The thread that makes more room for it."""
    made = Reserver(table, 400_000)
    made.start()
    yield made
    made.close()
    made.close()
    table.close()


def test_the_room_grows_before_it_is_used_up(table: Table, reserver: Reserver) -> None:
    before = table.room
    fill(table, range(before - AHEAD // 2 - 100))
    time.sleep(0.1)
    assert table.room == before, "the half of it is not used yet"
    fill(table, range(before - AHEAD // 2 - 100, before - AHEAD // 2 + 100))
    until(lambda: table.room > before)
    assert reserver.problems() == []


def test_no_session_waits_for_room_while_there_is_some(table: Table, reserver: Reserver) -> None:
    """As fast as sessions can begin."""
    fill(table, range(100_000))
    assert table.room >= sum(table.gauges().sessions) == 100_000
    assert reserver.problems() == []


def test_without_a_thread_the_table_is_full_at_what_it_has(table: Table) -> None:
    with pytest.raises(RuntimeError, match="refused"):
        fill(table, range(table.room + 1000))
    assert sum(table.gauges().sessions) == table.room
    table.close()


def test_where_memory_is_short_the_status_says_so_until_it_is_not(
    table: Table, reserver: Reserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = table.room
    monkeypatch.setattr(memory, "available", lambda: reserve.KEPT_BACK)
    fill(table, range(int(before * CROWDED) + 100))
    until(lambda: reserver.problems() != [])
    assert f"room for {before} of 400000 sessions: the memory of this machine" in reserver.problems()[0]
    monkeypatch.undo()
    until(lambda: reserver.problems() == [])
    assert table.room > before


@pytest.mark.parametrize("megabytes", [4, 16, 24])
def test_a_small_machine_with_room_for_its_sessions_is_well(
    megabytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it cannot hold is said once, when it starts, as information."""
    monkeypatch.setattr(memory, "available", lambda: megabytes << 20)
    caplog.set_level("INFO")
    small = start.table(tmp_path / "state", 400_000, tmp_path / "saved")
    reserver = Reserver(small, 400_000)
    reserver.start()
    assert 8_000 < small.room < 400_000
    time.sleep(2 * reserve.AGAIN_S)
    assert reserver.problems() == []
    (told,) = (record for record in caplog.records if "room for" in record.getMessage())
    assert told.levelname == "INFO"
    reserver.close()
    small.close()


@pytest.mark.root
def test_a_full_file_system_refuses_new_sessions_and_ends_nothing(tmp_path: Path) -> None:
    """Each record that is used has its block: nothing ends by SIGBUS."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=True)
    try:
        table = new_table(400_000, path=str(tmp_path / "state"))
        reserver = Reserver(table, 400_000)
        reserver.start()
        with pytest.raises(RuntimeError, match="refused"):
            fill(table, range(100_000))
        assert sum(table.gauges().sessions) == table.room
        assert 4000 < table.room < 8192
        assert "No space left on device" in reserver.problems()[0]
        subprocess.run(["mount", "-o", "remount,size=64m", tmp_path], check=True)
        until(lambda: reserver.problems() == [])
        fill(table, range(table.room - AHEAD // 4))
        reserver.close()
        table.close()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)
