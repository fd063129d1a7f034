"""`nfmasq check`."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from nfmasq.cli import main

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def call(*arguments: str) -> Result:
    """One command of its own."""
    return CliRunner().invoke(main, arguments)


def test_check_tells_a_good_file_from_a_bad_one(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(GOOD)
    bad.write_text('[nat]\ninternl = ["lan0"]\nexternal = "wan0"\nports = "9-1"\n')
    assert call("check", str(good)).exit_code == 0
    result = call("check", str(bad))
    assert result.exit_code == 5
    assert 'did you mean "internal"?' in result.stderr
    assert "nat.ports" in result.stderr
    told = json.loads(call("check", str(bad), "--json").output)
    assert (told["schema"], told["valid"]) == (1, False)
    assert all(set(error) == {"key", "reason"} for error in told["errors"])


def test_check_takes_a_missing_interface_for_an_error_only_when_asked(tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text(GOOD.replace("wan0", "nosuchif0"))
    assert "nosuchif0" in call("check", str(good)).stderr
    assert call("check", "--here", str(good)).exit_code == 5
