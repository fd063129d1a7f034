"""`nfmasq doctor`."""

import json
from collections.abc import Callable

from click.testing import CliRunner, Result

from nfmasq.cli import main

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def call(*arguments: str) -> Result:
    """One command of its own."""
    return CliRunner().invoke(main, arguments)


def test_doctor_answers_a_line_a_check_with_a_mend_where_it_fails() -> None:
    answer = json.loads(call("doctor", "--json").output)
    assert answer["schema"] == 1
    assert all(set(check) == {"name", "status", "why", "mend"} for check in answer["checks"])
    failed = [check for check in answer["checks"] if check["status"] == "fail"]
    assert answer["able"] is not bool(failed)
    assert all(check["mend"] for check in failed)
