"""What is opened as a state file, and what is left as it is."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nfmasq.core.state_file import HEADER, MAGIC, NotOurs, open_ours, stranger_at


def _linked(path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(b"precious")
    path.symlink_to(target)


def _hard_linked(path: Path) -> None:
    path.write_bytes(MAGIC + bytes(HEADER.size))
    path.with_name("other").hardlink_to(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(path))


STRANGERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (_linked, "a symbolic link"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "a symbolic link"),
    "a directory": (Path.mkdir, "a directory"),
    "a pipe": (os.mkfifo, "a named pipe"),
    "a socket": (_socket, "a socket"),
    "another name": (_hard_linked, "a file with 2 names"),
    "another program's": (lambda path: path.write_bytes(b"precious"), "no state file of nfmasq"),
    "zeros": (lambda path: path.write_bytes(bytes(1 << 16)), "no state file of nfmasq"),
}


@pytest.mark.parametrize(("make", "what"), STRANGERS.values(), ids=STRANGERS)
def test_what_is_not_ours_is_named_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], object], what: str
) -> None:
    path = tmp_path / "state"
    make(path)
    before = path.lstat()
    with pytest.raises(NotOurs, match=what) as raised:
        open_ours(os.fspath(path))
    assert raised.value.strerror is not None
    assert what in stranger_at(os.fspath(path))
    after = path.lstat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    )
    if make is _linked:
        assert path.read_bytes() == b"precious"


@pytest.mark.root
def test_a_file_of_another_user_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(MAGIC + bytes(HEADER.size))
    os.chown(path, 1234, -1)
    with pytest.raises(NotOurs, match="user 1234"):
        open_ours(os.fspath(path))


@pytest.mark.parametrize("content", [b"", MAGIC])
def test_a_file_of_ours_is_opened_and_locked(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    assert stranger_at(os.fspath(path)) == ""
    fd = open_ours(os.fspath(path))
    with pytest.raises(BlockingIOError):
        open_ours(os.fspath(path))
    os.close(fd)


def test_a_missing_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert stranger_at(os.fspath(path)) == ""
    assert not path.exists(), "looking makes nothing"
    os.close(open_ours(os.fspath(path)))
    assert path.stat().st_mode & 0o777 == 0o600
