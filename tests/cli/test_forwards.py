"""`nfmasq forwards` and its subcommands."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.behind import CLIENT, Bare, forwarding

from nfmasq.cli import main
from nfmasq.runtime.forwards import Forwards

Command = Callable[..., Result]
WEB = {"protocol": "tcp", "external_port": "8080", "to": f"{CLIENT}:80"}


@pytest.fixture
def running(running: Bare, tmp_path: Path) -> Bare:
    """With a forward in its configuration, and a place to keep others."""
    running.book = Forwards(forwarding(WEB, kept=tmp_path / "forwards.json"))
    return running


def test_the_command_adds_lists_and_removes(command: Command) -> None:
    added = command("forwards", "add", "--protocol", "tcp", "--port", "80", "--to", f"{CLIENT}", "--persist")
    assert (added.exit_code, added.output) == (0, "forward tcp-80 added, and kept\n")
    listed = command("forwards").output.splitlines()
    assert [line.split() for line in listed[1:]] == [
        ["tcp-8080", "config", "tcp", "*:8080", "0", f"{CLIENT}:80"],
        ["tcp-80", "kept", "tcp", "*:80", "0", f"{CLIENT}"],
    ]
    assert command("forwards", "list").output.splitlines() == listed
    assert json.loads(command("forwards", "list", "--json").output)["forwards"][1]["id"] == "tcp-80"
    assert command("forwards", "remove", "tcp-80").output == "forward tcp-80 removed\n"
    assert len(json.loads(command("forwards", "--json").output)["forwards"]) == 1


def test_options_stand_before_or_after_the_word(socket_path: Path) -> None:
    for arguments in (
        ["forwards", "--socket", str(socket_path), "--json", "list"],
        ["forwards", "list", "--socket", str(socket_path), "--json"],
    ):
        assert json.loads(CliRunner().invoke(main, arguments).output)["forwards"][0]["id"] == "tcp-8080"


def test_the_command_says_in_one_line_what_is_wrong(command: Command) -> None:
    wrong = command("forwards", "add", "--protocol", "tpc", "--to", str(CLIENT))
    assert wrong.exit_code == 2
    assert wrong.stderr == 'nfmasq: protocol: no such protocol: "tpc"; did you mean "tcp"?\n'
    clash = command("forwards", "add", "--protocol", "tcp", "--port", "8080", "--to", str(CLIENT))
    assert clash.exit_code == 1
    assert "tcp 8080 is forwarded already, by tcp-8080" in clash.stderr
    assert clash.stderr.count("\n") == 1
    unknown = command("forwards", "remove", "../status")
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (1, 1)
    assert command("forwards", "add").exit_code == 2
