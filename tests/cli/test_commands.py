"""The commands: their exit codes, what they print, and how little they import."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from support.behind import CLIENT

from nfmasq.cli import SECTIONS, main

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def call(*arguments: str) -> Result:
    """One command of its own."""
    return CliRunner().invoke(main, arguments)


def test_an_unknown_command_or_option_ends_with_2(command: Command) -> None:
    assert call("sesions").exit_code == 2
    assert command("sessions", "--limt", "3").exit_code == 2
    assert command("sessions", "--protocol", "tpc").exit_code == 2
    assert command("flush").exit_code == 2
    assert command("flush", "--all", "--host", str(CLIENT)).exit_code == 2


@pytest.mark.parametrize("name", [*CLIENT_COMMANDS, "flush", "check", "doctor", "run", "lab"])
def test_every_help_has_an_example_or_says_what_comes_next(name: str) -> None:
    result = call(name, "--help")
    assert result.exit_code == 0
    assert "nfmasq" in result.output.partition("\n")[2]


def test_the_list_of_commands_names_those_there_are() -> None:
    result = call("--help")
    assert result.exit_code == 0
    for section in SECTIONS.values():
        for name in section:
            assert f"\n  {name} " in result.output


def test_a_client_command_starts_without_the_heavy_libraries() -> None:
    heavy = ("aiohttp", "pydantic", "prometheus_client", "rich", "scapy", "nfmasq._fastpath", "asyncio")
    modules = ", ".join(f"nfmasq.cli.{name}" for name in ("lists", "status", "change", "forwards", "helpers"))
    asked = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not set(heavy) & set(loaded)
