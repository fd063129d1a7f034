"""The copy of the sessions that a daemon leaves at its end, and what becomes of it after a reboot."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hot.restarting import LEFT, busy_router
from support.packets import ACK, TCP, read, tcp
from support.router import CLIENT, EXTERNAL, SERVER, Router, policy
from support.whole import assert_whole

from nfmasq._fastpath import Table
from nfmasq.core.policy import HelperPort
from nfmasq.core.saved_sessions import HEADER, LONGEST_S, MAGIC, START, Stamp, age
from nfmasq.core.state_file import LAYOUT, RECORD, NotOurs

pytestmark = pytest.mark.root

BOOT, OTHER_BOOT = bytes(range(16)), bytes(16)
DAY = 1_800_000_000
HOUR = 3600
UPTIME = 25
"""Of a machine that has just booted, in seconds."""

STARTED = """
import json, sys
from nfmasq._fastpath import Table
from nfmasq.core.policy import HelperPort
from support.router import policy

table = Table(sys.argv[1], int(sys.argv[3]), None, sys.argv[2])
table.configure(policy())
rows = table.sessions()
left = {f"{row.protocol} {row.state}": row.expires_s for row in rows}
print(json.dumps([table.recovered, table.warning, left, [row.age_s for row in rows]]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file is to be."""
    return tmp_path / "state"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Where the copy is to be, in a directory that is not there yet."""
    return tmp_path / "lasting" / "sessions"


def stop(path: Path, saved: Path) -> Router:
    """A daemon that had a session of every kind, after its orderly end."""
    router = busy_router(path)
    assert router.table.save(str(saved)) == len(LEFT)
    router.table.close()
    return router


def edited(saved: Path, **fields: int | bytes) -> None:
    """Change fields of the copy's header."""
    names = ("magic", "layout", "record", "boot", "count", "day", "uptime")
    data = saved.read_bytes()
    values = dict(zip(names, HEADER.unpack(data[: HEADER.size]), strict=True)) | fields
    saved.write_bytes(HEADER.pack(*(values[name] for name in names)) + data[HEADER.size :])


class Boot(NamedTuple):
    """What a daemon found, UPTIME seconds after another boot. left: seconds, by protocol and state."""

    recovered: int
    warning: str
    left: dict[str, int]
    ages: list[int]


def boot(path: Path, saved: Path, capacity: int = 64) -> Boot:
    """Start a daemon's table in a time namespace, with a boot id of its own."""
    offset = str(UPTIME - int(time.clock_gettime(time.CLOCK_MONOTONIC)))
    other = path.with_name("boot_id")
    other.write_text("01234567-89ab-cdef-0123-456789abcdef\n", encoding="ascii")
    clocks = ("--time", "--monotonic", offset, "--boottime", offset)
    mount = f'mount --bind {other} /proc/sys/kernel/random/boot_id && exec "$@"'
    program = (sys.executable, "-c", STARTED, str(path), str(saved), str(capacity))
    done = subprocess.run(
        ["unshare", "--mount", *clocks, "--fork", "sh", "-c", mount, "sh", *program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Boot(*json.loads(done.stdout))


# Clocks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saved", "now", "passed"),
    [
        (Stamp(BOOT, DAY, 5000), Stamp(BOOT, DAY + 90, 5090), 90),
        (Stamp(BOOT, DAY, 5000), Stamp(BOOT, DAY - HOUR, 5090), 90),
        (Stamp(BOOT, DAY, 5000), Stamp(OTHER_BOOT, DAY + 90, 30), 90),
        (Stamp(BOOT, DAY, 5), Stamp(OTHER_BOOT, DAY + 30, 30), 30),
        (Stamp(BOOT, DAY, 5), Stamp(OTHER_BOOT, DAY + 2 * LONGEST_S, 30), 2 * LONGEST_S),
    ],
    ids=["same boot", "same boot, clock set back", "reboot", "a fast one", "long off"],
)
def test_what_has_passed_is_told_by_the_clock_that_can_tell(saved: Stamp, now: Stamp, passed: int) -> None:
    assert age(saved, now) == (passed, "")


@pytest.mark.parametrize(
    ("saved", "now"),
    [(DAY, 12), (12, DAY), (12, 90), (DAY, DAY - HOUR), (DAY, DAY + 5), (DAY, 1 << 40), (1 << 62, DAY)],
    ids=["1970 now", "1970 then", "1970 both", "set back", "stood still", "far ahead", "far ahead then"],
)
def test_a_clock_that_cannot_be_right_is_told_of_and_the_uptime_counts(saved: int, now: int) -> None:
    passed, complaint = age(Stamp(BOOT, saved, 5000), Stamp(OTHER_BOOT, now, 30))
    if now == 1 << 40:
        assert (passed, complaint) == (now - saved, ""), "sessions have ended by then, and the table says so"
        return
    assert passed == 30
    assert complaint.startswith("the clock cannot be right")
    assert "\n" not in complaint


# Over a reboot --------------------------------------------------------------------------------------------


def test_sessions_go_on_after_a_reboot_as_much_older_as_it_took(path: Path, saved: Path) -> None:
    rows = {f"{row.protocol} {row.state}": row for row in stop(path, saved).rows()}
    path.unlink()
    edited(saved, day=int(time.time()) - 60)
    found = boot(path, saved)
    assert (found.recovered, found.warning) == (len(LEFT) - 2, ""), "all but the pings"
    for name, left in found.left.items():
        assert left == pytest.approx(rows[name].expires_s - 60, abs=3)
    assert set(rows) - set(found.left) == {"1 -"}
    assert all(60 <= age <= 65 for age in found.ages)


def test_what_was_due_meanwhile_has_ended(path: Path, saved: Path) -> None:
    stop(path, saved)
    path.unlink()
    edited(saved, day=int(time.time()) - 1000)
    found = boot(path, saved)
    assert (found.recovered, found.warning, list(found.left)) == (1, "", ["6 established"])


def test_a_state_file_of_the_boot_before_gives_way_to_the_copy(path: Path, saved: Path) -> None:
    """It may lie on a disk."""
    stop(path, saved)
    edited(saved, day=int(time.time()) - 30)
    assert boot(path, saved)[:2] == (len(LEFT), "")


def test_sessions_that_went_on_are_of_this_boot_and_need_no_copy(path: Path, saved: Path) -> None:
    """The next daemon of the same boot finds them in the state file; the copy is used once."""
    stop(path, saved)
    path.unlink()
    first = Table(str(path), 64, None, str(saved))
    assert (first.recovered, saved.exists()) == (len(LEFT), False)
    first.close()
    assert Table(str(path), 64, None, str(saved)).recovered == len(LEFT)


def test_a_copy_that_is_older_than_the_state_file_is_removed(path: Path, saved: Path) -> None:
    """The daemon was killed since: what it had is newer."""
    router = stop(path, saved)
    router = Router(policy(), 64, str(path))
    router.table.flush(CLIENT)
    left = len(router.rows())
    router.table.close()
    assert 0 < left < len(LEFT)
    assert Table(str(path), 64, None, str(saved)).recovered == left
    assert not saved.exists()


def test_packets_go_on_through_sessions_that_were_saved(path: Path, saved: Path) -> None:
    before = stop(path, saved)
    near = before.rows()[0].external[1]
    path.unlink()
    after = Router(policy(), 64)
    after.table = Table(str(path), 64, None, str(saved))
    after.table.configure(policy())
    assert_whole(after.table)
    assert read(after.out(tcp(CLIENT, 40000, SERVER, 80, ACK))).source_port == near
    assert read(after.into(tcp(SERVER, 80, EXTERNAL, near, ACK))).destination == CLIENT


# Wrong clocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [-500, 12, 1 << 33, 1 << 62], ids=["before 1970", "1970", "2242", "never"])
def test_with_a_clock_that_was_wrong_sessions_go_on_and_one_line_says_so(
    path: Path, saved: Path, day: int
) -> None:
    stop(path, saved)
    path.unlink()
    edited(saved, day=day)
    found = boot(path, saved)
    assert found.recovered == len(LEFT)
    assert f"the sessions saved in {saved}: the clock cannot be right" in found.warning


def test_after_a_month_all_have_ended_and_one_line_says_so(path: Path, saved: Path) -> None:
    stop(path, saved)
    path.unlink()
    edited(saved, day=int(time.time()) - LONGEST_S - HOUR)
    assert boot(path, saved) == (
        0,
        f"the sessions saved in {saved} have ended: by the clock that was 30 days ago",
        {},
        [],
    )


# What else may be there -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda saved: saved.write_bytes(b""), "it is too short"),
        (lambda saved: saved.write_bytes(MAGIC), "it is too short"),
        (lambda saved: edited(saved, layout=LAYOUT + 1), f"its layout is version {LAYOUT + 1}"),
        (lambda saved: edited(saved, count=1 << 60), "it is cut short"),
        (lambda saved: os.truncate(saved, START + RECORD), "it is cut short"),
        (lambda saved: saved.write_bytes(b"precious"), "it is another program's file"),
        (lambda saved: (saved.unlink(), saved.mkdir()), "it is a directory"),
        (lambda saved: (saved.rename(f"{saved}2"), saved.symlink_to(f"{saved}2")), "it is a symbolic link"),
        (lambda saved: os.chown(saved, 12345, 0), "it is a file of user 12345"),
    ],
    ids=["empty", "half", "other layout", "too many", "cut short", "another's", "directory", "link", "user"],
)
def test_a_copy_of_no_use_is_one_line_and_the_table_begins_empty(
    path: Path, saved: Path, spoil: Callable[[Path], object], why: str
) -> None:
    stop(path, saved)
    path.unlink()
    spoil(saved)
    table = Table(str(path), 64, None, str(saved))
    assert table.recovered == 0
    assert f"the sessions saved in {saved} are given up: {why}" in table.warning
    table.close()
    assert Table(str(path), 64).warning == ""


def test_damaged_records_are_given_up_one_by_one(path: Path, saved: Path) -> None:
    stop(path, saved)
    path.unlink()
    data = bytearray(saved.read_bytes())
    data[START + 3 * RECORD + 8] ^= 1
    saved.write_bytes(data)
    table = Table(str(path), 64, None, str(saved))
    assert (table.recovered, table.warning) == (len(LEFT) - 1, "1 of its records are damaged and given up")


def test_a_smaller_table_takes_the_first_ones(path: Path, saved: Path) -> None:
    stop(path, saved)
    path.unlink()
    table = Table(str(path), 4, None, str(saved))
    assert (table.recovered, table.warning) == (4, "5 of its sessions are given up: limits.sessions = 4")


def test_a_copy_that_cannot_be_looked_at_keeps_no_daemon_from_starting(path: Path, saved: Path) -> None:
    """Such as one of root's, where the daemon is not root any more: its place cannot be searched."""
    nowhere = path.with_name("no folder")
    nowhere.write_bytes(b"")
    with contextlib.closing(Table(str(path), 64, None, str(nowhere / "sessions"))) as table:
        assert "cannot be read" in table.warning


def test_expectations_are_not_saved(path: Path, saved: Path) -> None:
    """They name their control session by its number, which is another in the copy."""
    router = busy_router(path, rules=policy(helper_ports=(HelperPort(3, TCP, 21),)))
    router.out(tcp(CLIENT, 40001, SERVER, 21))
    control = router.table.next_set_aside(0)
    assert control is not None
    before = len(router.rows())
    router.table.expect(control.session, control.serial, TCP, (CLIENT, 5000), SERVER, 0, 60, now=router.now)
    assert len(router.rows()) == before + 1
    assert router.table.save(str(saved)) == before


@pytest.mark.parametrize("what", ["another program's file", "a symbolic link", "a directory"])
def test_nothing_else_is_ever_overwritten(path: Path, saved: Path, what: str) -> None:
    router = busy_router(path)
    saved.parent.mkdir()
    other = saved.with_name("precious")
    other.write_bytes(b"precious")
    if what == "a directory":
        saved.mkdir()
    elif what == "a symbolic link":
        saved.symlink_to(other)
    else:
        other.rename(saved)
        other = saved
    with pytest.raises(NotOurs, match=what):
        router.table.save(str(saved))
    assert other.read_bytes() == b"precious"


def test_the_copy_is_for_its_owner_only_and_holds_no_free_record(path: Path, saved: Path) -> None:
    router = busy_router(path)
    router.table.flush(CLIENT)
    left = len(router.rows())
    assert router.table.save(str(saved)) == left
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.stat().st_size == START + left * RECORD
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]


def test_where_there_is_no_room_the_copy_before_stays(path: Path, tmp_path: Path) -> None:
    """A file system of one page more than the empty copy."""
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", full], check=True)
    try:
        saved = full / "sessions"
        router = Router(policy(), 64, str(path))
        router.out(LEFT[0])
        assert router.table.save(str(saved)) == 1
        before = saved.read_bytes()
        with pytest.raises(OSError, match="No space"):
            router.table.save(str(saved))
        assert (saved.read_bytes(), list(full.iterdir())) == (before, [saved])
    finally:
        subprocess.run(["umount", full], check=True)


def file_of_another_user(new: Path) -> None:
    """It has the magic of a copy."""
    new.write_bytes(MAGIC)
    os.chown(new, 12345, 0)


STRANGERS: dict[str, Callable[[Path, Path], object]] = {
    "another program's file": lambda new, other: new.write_bytes(b"precious"),
    "a symbolic link": lambda new, other: new.symlink_to(other),
    "a directory": lambda new, other: new.mkdir(),
    "a named pipe": lambda new, other: os.mkfifo(new),
    "a file of user 12345": lambda new, other: file_of_another_user(new),
}


@pytest.mark.parametrize("what", STRANGERS)
def test_what_another_has_put_where_the_copy_is_made_stays(path: Path, saved: Path, what: str) -> None:
    router = busy_router(path)
    saved.parent.mkdir()
    new, other = saved.with_name(f"{saved.name}.new"), saved.with_name("precious")
    other.write_bytes(b"precious")
    STRANGERS[what](new, other)
    before = new.lstat()
    with pytest.raises(NotOurs, match=what) as told:
        router.table.save(str(saved))
    assert told.value.filename == str(new)
    assert (new.lstat(), other.read_bytes(), saved.exists()) == (before, b"precious", False)
