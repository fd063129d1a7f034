"""`nfmasq status`."""

from collections.abc import Callable
from dataclasses import replace

from click.testing import Result
from support.behind import EXTERNAL, Bare

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def test_status_ends_with_6_when_degraded_and_says_why(running: Bare, command: Command) -> None:
    good = command("status")
    assert good.exit_code == 0
    assert str(EXTERNAL) in good.output
    running.seen = replace(running.seen, problems=("no external address on wan0",))
    bad = command("status")
    assert bad.exit_code == 6
    assert "no external address on wan0" in bad.output
    assert command("status", "--json").exit_code == 6
