"""`nfmasq flush` and `nfmasq reload`."""

import json
from collections.abc import Callable

from click.testing import Result
from support.behind import CLIENT, Bare, speak

from nfmasq.config import ConfigError
from nfmasq.control.running import ReloadOutcome

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def test_flush_says_how_many_sessions_ended(running: Bare, command: Command) -> None:
    speak(running.table, CLIENT, 5000)
    assert command("flush", "--host", str(CLIENT)).output == "1 sessions ended\n"
    assert command("flush", "--host", "gateway").exit_code == 2
    assert command("flush", "--all").output == "0 sessions ended\n"


def test_a_refused_reload_ends_with_5_and_prints_every_key(running: Bare, command: Command) -> None:
    assert command("reload").exit_code == 0
    running.outcome = ReloadOutcome(errors=(ConfigError("nat.ports", "bad"), ConfigError("x", "unknown")))
    result = command("reload")
    assert result.exit_code == 5
    assert "nat.ports: bad\nx: unknown\n" in result.stderr
    assert json.loads(command("reload", "--json").stdout)["reloaded"] is False
