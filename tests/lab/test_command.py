"""`nfmasq lab` as a user runs it, and that nothing of it stays."""

import fcntl
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from nfmasq.lab.programs import python_environment, sbin_too
from nfmasq.lab.topology import SERVER1
from nfmasq.lab.waiting import wait_until

ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")
LAB = (sys.executable, "-m", "nfmasq", "lab")


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, check=False, env=python_environment(), capture_output=True, text=True, timeout=90
    )


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


def _runs_its_own(pid: int) -> bool:
    """Is the process past its beginning, in which it cannot know yet that it is to end with the lab?"""
    try:
        begun_as = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return True
    return begun_as[0] not in {b"setpriv", b"nsenter"} and begun_as[1:4] != [b"-m", b"nfmasq", b"lab"]


@pytest.mark.parametrize("who", [(), ("--kernel",)], ids=["nfmasq", "kernel"])
def test_once_prints_a_line_a_step_with_figures_and_ends_with_0(who: tuple[str, ...]) -> None:
    done = _run(*LAB, "--once", *who)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ok +download of 100 MB: [\d.]+ Gbit/s, sha256 \w+… equal$", done.stdout, re.MULTILINE)
    assert re.search(r"^ok +a thousand short TCP connections: 1000 of 1000", done.stdout, re.MULTILINE)
    assert re.search(r"^(\d+) of \1 passed$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_however_it_ends_nothing_stays(how: signal.Signals, tmp_path: Path) -> None:
    """What other runs make beside it is in another place."""
    lab = subprocess.Popen(
        [*LAB, "--once"],
        env=python_environment() | {"TMPDIR": str(tmp_path)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert lab.stdout is not None
        lab.stdout.readline()
        wait_until(lambda: all(map(_runs_its_own, _children(lab.pid))), "every program to be itself")
        family = _children(lab.pid)
        assert len(family) >= 3, "two servers and the daemon should be running"
        lab.send_signal(how)
        lab.wait(20)
    finally:
        lab.kill()
        lab.communicate()
    wait_until(lambda: not any(map(_alive, family)), "every program of the lab to be gone")
    assert list(tmp_path.iterdir()) == []


def test_live_it_shows_tour_rates_and_sessions_until_ctrl_c() -> None:
    ours, its = os.openpty()
    try:
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 140, 0, 0))
        lab = subprocess.Popen(
            LAB, env=python_environment() | {"TERM": "xterm"}, stdin=its, stdout=its, stderr=subprocess.PIPE
        )
        os.close(its)
        shown = bytearray()
        for wanted in (
            "✔   download of 100 MB",
            "outbound",
            f"{SERVER1}:80",
            "no internal address among them",
        ):
            while wanted.encode() not in ESCAPES.sub(b"", shown):
                shown += os.read(ours, 65536)
        family = _children(lab.pid)
        lab.send_signal(signal.SIGINT)
        while lab.poll() is None:
            if select.select([ours], [], [], 0.1)[0]:
                with suppress(OSError):
                    shown += os.read(ours, 65536)
        assert lab.stderr is not None
        assert (lab.returncode, lab.stderr.read()) == (0, b"")
        assert shown.rindex(LEAVE_SCREEN) > shown.rindex(ENTER_SCREEN), "the terminal was not given back"
        wait_until(lambda: not any(map(_alive, family)), "every program of the lab to be gone")
    finally:
        lab.kill()
        lab.communicate()
        os.close(ours)


def test_without_root_it_says_so_and_ends_with_4() -> None:
    """The interpreter may be where only root can read it, so the program gives root up after loading."""
    program = "import os; from nfmasq.cli.lab import lab; os.setuid(65534); lab()"
    done = _run(sys.executable, "-c", program)
    assert done.returncode == 4
    assert "needs root" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_program_is_named_with_its_package() -> None:
    hide = f"mount --bind /dev/null {os.path.realpath(shutil.which('traceroute', path=sbin_too()) or '')}"
    done = _run("unshare", "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh", *LAB, "--once")
    assert done.returncode == 1
    assert "apt-get install traceroute" in done.stderr


@pytest.mark.parametrize("how", ["--once", "--rfc", "--neighbours", "--kernel"])
def test_a_slowness_that_is_no_number_is_one_error_before_anything_is_made(how: str) -> None:
    done = _run("env", "NFMASQ_LAB_SLOWNESS=fast", *LAB, how)
    assert done.returncode == 2
    assert done.stdout == ""
    told = "nfmasq lab: NFMASQ_LAB_SLOWNESS is 'fast'; set a number from 1 to 1000, or unset it\n"
    assert done.stderr == told
