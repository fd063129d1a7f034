"""Who may take the control socket's place, and who may remove it."""

import os
import socket
import stat
from pathlib import Path

import pytest

from nfmasq.control.socket import AnotherRuns, ControlSocket


def connects(path: Path) -> bool:
    """Does somebody listen there?"""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
        return True


def left_by_a_dead_daemon(path: Path) -> None:
    """A socket file nobody listens on."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))


def test_the_socket_is_for_its_owner_and_its_group_alone(tmp_path: Path) -> None:
    control = ControlSocket(tmp_path / "run" / "control.sock")
    assert stat.S_IMODE(control.path.stat().st_mode) == 0o660
    assert list(control.path.parent.iterdir()) == [control.path]
    control.close()
    assert not control.path.exists()


def test_the_socket_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    left_by_a_dead_daemon(path)
    control = ControlSocket(path)
    assert connects(path)
    control.close()


def test_a_live_daemons_socket_is_left_alone(tmp_path: Path) -> None:
    first = ControlSocket(tmp_path / "control.sock")
    with pytest.raises(AnotherRuns, match="another nfmasq is running"):
        ControlSocket(first.path)
    assert connects(first.path)
    first.close()


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="not a socket"):
        ControlSocket(path)
    assert path.read_text() == "precious"


def test_closing_removes_our_socket_and_no_other(tmp_path: Path) -> None:
    control = ControlSocket(tmp_path / "control.sock")
    control.path.unlink()
    left_by_a_dead_daemon(control.path)
    control.close()
    assert control.path.exists()
