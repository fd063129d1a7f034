"""What lies where the copy of the sessions is made: half a copy gives way, another program's file stays."""

import os
import resource
import signal
from pathlib import Path

import pytest
from hot.restarting import LEFT, busy_router
from support.router import Router

from nfmasq.core.saved_sessions import MAGIC, START
from nfmasq.core.state_file import RECORD, NotOurs

pytestmark = pytest.mark.root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file is to be."""
    return tmp_path / "state"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Where the copy is to be, in a directory that is not there yet."""
    return tmp_path / "lasting" / "sessions"


HALF_WRITTEN: dict[str, bytes] = {
    "an older version": bytes(START) + bytes(range(1, RECORD + 1)) * 3,
    "an older version, no record": bytes(START),
    "an older version, half a page": bytes(100),
    "a power loss, empty": b"",
    "a power loss, all zeros": bytes(START + 5 * RECORD),
    "a power loss, without its records": MAGIC.ljust(START, b"\0") + bytes(5 * RECORD),
}


@pytest.mark.parametrize("left", HALF_WRITTEN)
def test_what_an_older_version_or_a_power_loss_left_half_written_gives_way(
    path: Path, saved: Path, left: str
) -> None:
    router = busy_router(path)
    new = saved.with_name(f"{saved.name}.new")
    saved.parent.mkdir()
    new.write_bytes(HALF_WRITTEN[left])
    assert router.table.save(str(saved)) == len(LEFT)
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("begins", [bytes(START - 1) + b"x", b"\0" * 100 + b"x", b"x" + bytes(START)])
def test_a_file_with_a_byte_in_its_first_page_is_another_s(path: Path, saved: Path, begins: bytes) -> None:
    """Also where it begins with zeros; and the copy itself never does."""
    router = busy_router(path)
    saved.parent.mkdir()
    for where, precious in (
        (saved.with_name(f"{saved.name}.new"), begins),
        (saved, bytes(START)),
    ):
        where.write_bytes(precious)
        with pytest.raises(NotOurs, match="another program's file"):
            router.table.save(str(saved))
        assert where.read_bytes() == precious
        where.unlink()


def killed_after(count: int, router: Router, saved: Path) -> None:
    """A process that saves is killed when it has written so many bytes."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (count, count))
        router.table.save(str(saved))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGXFSZ


@pytest.mark.parametrize("count", [0, START, START + RECORD + 5])
def test_what_a_killed_daemon_left_half_written_gives_way(path: Path, saved: Path, count: int) -> None:
    router = busy_router(path)
    new = saved.with_name(f"{saved.name}.new")
    killed_after(count, router, saved)
    assert list(saved.parent.iterdir()) == [new]
    assert router.table.save(str(saved)) == len(LEFT)
    assert list(saved.parent.iterdir()) == [saved]
