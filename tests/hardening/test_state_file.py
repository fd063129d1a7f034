"""Ways to damage the state file: the daemon translates, or says one clear line.

What is not ours stays as it is.
"""

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hot.restarting import LEFT, busy_router
from support.daemons import prepared, router

from nfmasq._fastpath import Table
from nfmasq.core.state_file import HEADER, LAYOUT, MAGIC, RECORD
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab

__all__ = ["prepared", "router"]

pytestmark = pytest.mark.root
PAGE = os.sysconf("SC_PAGESIZE")
READY = "ready: "
PRECIOUS = b"precious data of another program\n" * 100


@pytest.fixture
def state(tmp_path: Path, prepared: DaemonUnderLab) -> Iterator[Path]:
    """The state file's place, on a tmpfs of its own, with the sessions that a daemon left."""
    place = tmp_path / "run"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place], check=True)
    try:
        path = place / "state"
        busy_router(path, 1000).table.close()
        prepared.write_config({"engine": {"state": str(path)}, "limits": {"sessions": 1000}})
        yield path
        prepared.kill()
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def outcome(daemon: DaemonUnderLab, net: Namespace, *before: str) -> tuple[bool, list[str]]:
    """Start the prepared daemon, by this command: whether it got ready, and its lines."""
    command = [*before, sys.executable, "-m", "nfmasq", "run", "--config", str(daemon.config_path)]
    process = subprocess.Popen(
        net.command(command), pass_fds=[net.fd], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "JOURNAL_STREAM": "1:1"},
    )  # fmt: skip
    assert process.stderr is not None
    lines: list[str] = []
    with process:
        for line in process.stderr:
            assert "Traceback" not in line
            lines.append(line.strip())
            if READY in line:
                process.terminate()
        code = process.wait(30)
    ready = any(READY in line for line in lines)
    assert code == 0 if ready else code in (1, 5), lines
    return ready, lines


def change(at: int, new: bytes) -> Callable[[Path], None]:
    """Damage that overwrites bytes."""

    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(new)

    return damage


def punch(first: int, length: int) -> Callable[[Path], None]:
    """Damage that makes a hole."""

    def damage(path: Path) -> None:
        subprocess.run(["fallocate", "-p", "-o", str(first), "-l", str(length), path], check=True)

    return damage


def spoil_each_field(path: Path) -> None:
    """A byte of every record flipped, each in another field."""
    data = bytearray(path.read_bytes())
    for number, at in enumerate((4, 5, 7, 8, 12, 16, 20, 22, 24), 1):
        data[PAGE + RECORD * number + at] ^= 0x10
    path.write_bytes(data)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"rubbish" * 1000)


TRANSLATES: dict[str, tuple[Callable[[Path], object], str]] = {
    "sound": (lambda path: None, "9 sessions recovered"),
    "missing": (lambda path: path.unlink(), "0 sessions recovered"),
    "empty": (lambda path: os.truncate(path, 0), "0 sessions recovered"),
    "truncated in its header": (lambda path: os.truncate(path, 100), "too short"),
    "truncated in its records": (lambda path: os.truncate(path, PAGE + 5 * RECORD), "cut short"),
    "longer": (lambda path: os.truncate(path, 16 << 20), "9 sessions recovered"),
    "magic flipped": (change(2, b"?"), "9 sessions recovered"),
    "another layout": (change(8, struct.pack("=I", LAYOUT - 1)), "layout"),
    "another boot": (change(30, b"????"), "reboot"),
    "highest record flipped": (change(20, b"\xff"), "9 sessions recovered"),
    "highest record gone": (change(20, bytes(4)), "9 sessions recovered"),
    "every record flipped": (spoil_each_field, "9 of its records are damaged"),
    "zeros in the middle": (change(PAGE + 3 * RECORD, bytes(2 * RECORD)), "7 sessions recovered"),
    "a hole at the records": (punch(PAGE, PAGE), "cut short"),
    "read-only": (lambda path: path.chmod(0o400), "9 sessions recovered"),
    "records of another size": (change(12, struct.pack("=I", RECORD - 8)), "layout"),
    "rubbish behind its end": (_append, "9 sessions recovered"),
    "a header alone": (lambda path: os.truncate(path, HEADER.size), "too short"),
    "every byte of a record": (change(PAGE + RECORD, b"\xff" * RECORD), "1 of its records"),
}


@pytest.mark.parametrize(("damage", "said"), TRANSLATES.values(), ids=TRANSLATES)
def test_a_damaged_file_of_ours_does_not_keep_the_daemon_from_translating(
    state: Path, prepared: DaemonUnderLab, router: Namespace, damage: Callable[[Path], object], said: str
) -> None:
    damage(state)
    ready, lines = outcome(prepared, router)
    assert ready, lines
    assert any(said in line for line in lines), lines
    ready, lines = outcome(prepared, router)
    assert ready, "and the next start has nothing to complain of"
    assert not any("state file" in line for line in lines), lines


def _link(path: Path) -> None:
    path.rename(path.with_name("precious"))
    path.symlink_to("precious")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def _link_to_a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


def _socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _disk(path: Path) -> None:
    path.unlink()
    os.mknod(path, 0o600 | 0o060000, os.makedev(7, 0))


STRANGERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a symbolic link": (_link, "a symbolic link"),
    "a directory": (_directory, "a directory"),
    "a named pipe": (_pipe, "a named pipe"),
    "a device": (_device, "a device"),
    "a disk": (_disk, "a device"),
    "a socket": (_socket, "a socket"),
    "a link to nothing": (_link_to_nothing, "a symbolic link"),
    "a link to a device": (_link_to_a_device, "a symbolic link"),
    "of another user": (lambda path: os.chown(path, 1234, 1234), "user 1234"),
    "with another name": (lambda path: path.with_name("precious").hardlink_to(path), "2 names"),
    "another program's": (lambda path: path.write_bytes(PRECIOUS), "no state file of nfmasq"),
    "zeros": (lambda path: path.write_bytes(bytes(8192)), "no state file of nfmasq"),
}


def seen(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    """All there is in a folder, with its content."""
    return {
        entry.name: (entry.lstat().st_mode, entry.read_bytes() if entry.is_file() else None)
        for entry in folder.iterdir()
    }


@pytest.mark.parametrize(("make", "what"), STRANGERS.values(), ids=STRANGERS)
def test_what_is_not_ours_is_one_line_that_names_it_and_stays_untouched(
    state: Path, prepared: DaemonUnderLab, router: Namespace, make: Callable[[Path], object], what: str
) -> None:
    make(state)
    before = seen(state.parent)
    ready, lines = outcome(prepared, router)
    assert not ready
    assert len(lines) == 1
    assert all(word in lines[0] for word in (str(state), what, "engine.state")), lines
    assert seen(state.parent) == before


def test_a_file_that_another_daemon_holds_is_one_line(
    state: Path, prepared: DaemonUnderLab, router: Namespace
) -> None:
    holder = Table(str(state), 1000)
    ready, lines = outcome(prepared, router)
    holder.close()
    assert not ready
    assert [line for line in lines if "in use by another nfmasq" in line] == lines


def fill(folder: Path) -> None:
    """Take all the room of the file system."""
    with (folder / "log").open("wb", buffering=0) as log:
        try:
            while True:
                log.write(bytes(4096))
        except OSError:
            pass


def test_without_room_at_the_start_it_is_one_line(
    state: Path, prepared: DaemonUnderLab, router: Namespace
) -> None:
    state.unlink()
    fill(state.parent)
    ready, lines = outcome(prepared, router)
    assert not ready
    assert len(lines) == 1
    assert "No space left on device" in lines[0]


def test_without_room_for_more_the_sessions_that_were_are_recovered(
    state: Path, prepared: DaemonUnderLab, router: Namespace
) -> None:
    fill(state.parent)
    prepared.write_config({"limits": {"sessions": 500_000}})
    ready, lines = outcome(prepared, router)
    assert ready, lines
    assert any("9 sessions recovered" in line and "degraded (" in line for line in lines), lines


def test_a_file_system_that_fills_up_while_it_runs_is_a_problem_until_there_is_room(
    state: Path, prepared: DaemonUnderLab
) -> None:
    fill(state.parent)
    prepared.write_config({"limits": {"sessions": 500_000}})
    prepared.start()
    (problem,) = prepared.api("/v1/status")["problems"]
    assert "state file has room for" in problem
    assert "No space left on device" in problem
    (state.parent / "log").unlink()
    for _ in range(50):
        if not prepared.api("/v1/status")["problems"]:
            break
        time.sleep(0.1)
    assert prepared.api("/v1/status")["problems"] == []
    assert prepared.running


@pytest.mark.parametrize(
    ("sessions", "mib"),
    [(1000, 90), (1000, 250), *((1000, mib) for mib in range(452, 504, 6)), (2_000_000, 800)],
)
def test_a_limit_of_address_space_is_told_without_a_traceback(
    state: Path, prepared: DaemonUnderLab, router: Namespace, sessions: int, mib: int
) -> None:
    prepared.write_config({"limits": {"sessions": sessions}})
    ready, lines = outcome(prepared, router, "prlimit", f"--as={mib << 20}")
    shortages = ("ulimit -v", "no thread can be started", "no memory is left", "annot allocate memory")
    assert ready or all(any(each in line for each in shortages) for line in lines), lines
    assert ready or 1 <= len(lines) <= 2, lines


def test_the_header_lies_where_these_tests_damage_it() -> None:
    assert HEADER.unpack(MAGIC + struct.pack("=IIII", LAYOUT, RECORD, 7, len(LEFT)) + bytes(16))[4] == 9
    assert HEADER.size == 40
