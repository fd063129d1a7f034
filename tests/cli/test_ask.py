"""A client command without a daemon that answers it: exit code and message."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nfmasq.cli import main

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def call(*arguments: str) -> Result:
    """One command of its own."""
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_a_command_without_a_daemon_ends_with_3_and_names_the_mend(name: str, tmp_path: Path) -> None:
    result = call(name, "--socket", str(tmp_path / "none.sock"))
    assert result.exit_code == 3
    assert result.stderr.startswith("nfmasq: no daemon answers on ")
    assert "systemctl start nfmasq" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_socket_that_may_not_be_used_ends_with_4(socket_path: Path) -> None:
    socket_path.parent.chmod(0o755)
    # The checkout may be where only root can read it, so the program gives root up after loading.
    program = (
        "import os, sys; from nfmasq.cli import main; import nfmasq.cli.status;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); main(sys.argv[1:])"
    )
    nobody = subprocess.run(
        [sys.executable, "-c", program, "status", "--socket", str(socket_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert nobody.returncode == 4, nobody.stderr
    assert "no permission" in nobody.stderr


def test_something_else_on_the_socket_ends_with_3(tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        speaker = subprocess.Popen(
            [sys.executable, "-m", "nfmasq", "status", "--socket", str(path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        other.settimeout(20)
        with other.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        _, said = speaker.communicate(timeout=20)
    assert speaker.returncode == 3
    assert "is not nfmasq" in said
    assert said.count("\n") == 1
