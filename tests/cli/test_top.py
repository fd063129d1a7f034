"""`nfmasq top`."""

import json
from collections.abc import Callable

from click.testing import Result
from support.behind import CLIENT, Bare, speak

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def test_top_prints_rates_and_sessions_when_there_is_no_terminal(running: Bare, command: Command) -> None:
    speak(running.table, CLIENT, 5000)
    shown = command("top", "--count", "1", "--every", "0.2")
    assert shown.exit_code == 0
    assert f"{CLIENT}:5000" in shown.output
    answer = json.loads(command("top", "--count", "1", "--every", "0.2", "--json").output)
    assert answer["schema"] == 1
    assert answer["rates"]["outbound"] == {"packets_per_s": 0.0, "bits_per_s": 0.0}
