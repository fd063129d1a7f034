"""Forwarding is stopped and put back exactly as it was, by this process or by the next."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path as FilePath

import pytest
from support.capabilities import without_net_admin
from support.path import Path
from support.situations import rename

from nfmasq.diversion.forwarding_stop import ForwardingStop
from nfmasq.machine.forwarding import forwards, set_forwarding

pytestmark = pytest.mark.root

INSIDE = ("lan0", "away0")


def _forwards(path: Path, name: str = "lan0") -> bool:
    return bool(path.router.call(forwards, name))


@pytest.fixture
def memory(tmp_path: FilePath) -> FilePath:
    """The place of the file."""
    return tmp_path / "state.forwarding"


def test_it_stops_and_goes_on(path: Path, memory: FilePath) -> None:
    stop = ForwardingStop(memory)
    path.router.call(stop.stop, INSIDE)
    assert list(stop.stopped) == ["lan0"]
    assert not _forwards(path)
    assert _forwards(path, "wan0")
    path.router.call(stop.stop, INSIDE)
    path.router.call(stop.resume)
    assert not stop.stopped
    assert _forwards(path)
    assert not memory.exists()


def test_an_interface_that_did_not_forward_goes_on_not_forwarding(path: Path, memory: FilePath) -> None:
    path.router.sysctl("ipv4/conf/lan0/forwarding", 0)
    stop = ForwardingStop(memory)
    path.router.call(stop.stop, INSIDE)
    path.router.call(stop.resume)
    assert not _forwards(path)


def test_under_another_name_it_goes_on_as_well(path: Path, memory: FilePath) -> None:
    stop = ForwardingStop(memory)
    path.router.call(stop.stop, INSIDE)
    rename(path.router, "lan0", "other0")
    path.router.call(stop.resume)
    assert _forwards(path, "other0")


def test_an_interface_that_went_meanwhile_is_forgotten(path: Path, memory: FilePath) -> None:
    stop = ForwardingStop(memory)
    path.router.call(stop.stop, INSIDE)
    path.router.ip("link del lan0")
    path.router.call(stop.resume)
    assert not stop.stopped


def test_the_next_process_puts_back_what_a_killed_one_left(path: Path, memory: FilePath) -> None:
    path.router.call(ForwardingStop(memory).stop, INSIDE)
    path.router.call(ForwardingStop(memory).resume)
    assert _forwards(path)
    assert not memory.exists()


def test_the_next_process_leaves_an_interface_of_another_name_alone(path: Path, memory: FilePath) -> None:
    """Its index may be of another boot, or of another network namespace."""
    path.router.call(ForwardingStop(memory).stop, ("lan0",))
    memory.write_text(memory.read_text().replace("lan0", "other0"))
    path.router.call(ForwardingStop(memory).resume)
    assert not _forwards(path)


def test_without_a_file_it_works_until_it_ends(path: Path) -> None:
    stop = ForwardingStop()
    path.router.call(stop.stop, INSIDE)
    assert not _forwards(path)
    path.router.call(stop.resume)
    assert _forwards(path)


def test_what_the_kernel_refuses_to_stop_is_named_and_not_listed(path: Path, memory: FilePath) -> None:
    stop = ForwardingStop(memory)
    path.router.call(without_net_admin(stop.stop), INSIDE)
    assert _forwards(path)
    assert stop.stopped == ()
    assert stop.problems() == [
        "forwarding from lan0 could not be stopped, and nothing guards it: Operation not permitted"
    ]
    assert not memory.exists()
    path.router.call(stop.resume)
    assert stop.problems() == []


def test_one_that_is_refused_leaves_the_others_stopped(
    path: Path, memory: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = ForwardingStop(memory)
    refused = path.router.call(socket.if_nametoindex, "lan0")

    def set_all_but_one(index: int, forwarding: bool) -> None:
        if index == refused:
            raise PermissionError(errno.EPERM, "not this one")
        set_forwarding(index, forwarding)

    monkeypatch.setattr("nfmasq.diversion.forwarding_stop.set_forwarding", set_all_but_one)
    path.router.call(stop.stop, ("lan0", "wan0"))
    assert stop.stopped == ("wan0",)
    assert len(stop.problems()) == 2
    assert "lan0" not in memory.read_text()
    path.router.call(stop.resume)
    assert _forwards(path, "wan0")
    assert not memory.exists()


def test_what_the_kernel_refuses_to_enable_stays_listed_until_it_does(path: Path, memory: FilePath) -> None:
    stop = ForwardingStop(memory)
    path.router.call(stop.stop, INSIDE)
    path.router.call(without_net_admin(stop.resume))
    assert stop.stopped == ("lan0",)
    assert stop.problems() == ["forwarding from lan0 could not be enabled again: Operation not permitted"]
    assert "lan0" in memory.read_text()
    path.router.call(stop.resume)
    assert stop.problems() == []
    assert _forwards(path)
    assert not memory.exists()


def _link(memory: FilePath) -> None:
    memory.symlink_to(memory.with_name("precious"))


def _link_to_a_file(memory: FilePath) -> None:
    memory.with_name("precious").write_text(PRECIOUS)
    _link(memory)


PRECIOUS = "precious data of another program\n"
STRANGERS: dict[str, Callable[[FilePath], object]] = {
    "another program's": lambda memory: memory.write_text(PRECIOUS),
    "a link": _link_to_a_file,
    "a link to nothing": _link,
    "a directory": lambda memory: memory.mkdir(),
    "a pipe": os.mkfifo,
    "not text": lambda memory: memory.write_bytes(b"\xff\0" * 100),
    "in a folder that is not there": lambda memory: memory.parent.rmdir(),
}


@pytest.mark.parametrize("make", STRANGERS)
def test_a_file_of_others_is_left_alone_and_it_works_all_the_same(
    path: Path, memory: FilePath, make: str
) -> None:
    STRANGERS[make](memory)
    before = _seen(memory.parent)
    stop = ForwardingStop(memory)
    path.router.call(stop.resume)
    path.router.call(stop.stop, INSIDE)
    assert not _forwards(path)
    path.router.call(stop.resume)
    assert _forwards(path)
    assert _seen(memory.parent) == before


def _seen(folder: FilePath) -> dict[str, tuple[int, bytes | None]]:
    if not folder.exists():
        return {}
    return {
        each.name: (each.lstat().st_mode, each.read_bytes() if each.is_file() else None)
        for each in folder.iterdir()
    }


@pytest.mark.parametrize(
    "damage", ["", "nothing of use\n", "9 lan0 and more\n", "x lan0\n", "999999999999 lan0\n"]
)
def test_a_damaged_file_of_ours_does_no_harm(path: Path, memory: FilePath, damage: str) -> None:
    path.router.call(ForwardingStop(memory).stop, INSIDE)
    title = memory.read_text().splitlines(keepends=True)[0]
    memory.write_text(title + damage)
    path.router.call(ForwardingStop(memory).resume)
    assert not memory.exists()
