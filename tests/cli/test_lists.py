"""The commands that print a list."""

import json
from collections.abc import Callable

from click.testing import Result
from support.behind import CLIENT, OTHER_CLIENT, Bare, speak

CLIENT_COMMANDS = ("status", "sessions", "mappings", "hosts", "forwards", "helpers", "drops", "top", "reload")
GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'

Command = Callable[..., Result]


def test_json_is_one_object_with_a_schema_and_the_table_is_made_from_it(
    running: Bare, command: Command
) -> None:
    speak(running.table, CLIENT, 5000)
    speak(running.table, OTHER_CLIENT, 5000)
    for name in ("sessions", "mappings", "hosts"):
        answer = json.loads(command(name, "--json").output)
        assert answer["schema"] == 1
        assert len(answer[name]) == 2
        shown = command(name).output.splitlines()
        assert len(shown) == 3
        for row, line in zip(answer[name], shown[1:], strict=True):
            assert (row["host"] if name == "hosts" else row["internal"]) in line


def test_filters_reach_the_daemon_and_a_cut_list_says_how_to_go_on(running: Bare, command: Command) -> None:
    for port in range(5000, 5010):
        speak(running.table, CLIENT, port)
    speak(running.table, OTHER_CLIENT, 5000)
    only = json.loads(command("sessions", "--json", "--host", str(OTHER_CLIENT)).output)
    assert [row["internal"] for row in only["sessions"]] == [f"{OTHER_CLIENT}:5000"]
    part = json.loads(command("sessions", "--json", "--limit", "4").output)
    assert len(part["sessions"]) == 4
    assert f"--after {part['next']}" in command("sessions", "--limit", "4").stderr
    rest = json.loads(command("sessions", "--json", "--after", str(part["next"])).output)
    assert len(rest["sessions"]) == 7
    assert rest["next"] is None


def test_an_empty_list_is_still_good_json(command: Command) -> None:
    for name in ("sessions", "mappings", "hosts"):
        assert json.loads(command(name, "--json").output) == {"schema": 1, name: [], "next": None}


def test_drops_show_what_happened_and_all_reasons_when_asked(running: Bare, command: Command) -> None:
    assert "No packet was dropped" in command("drops").output
    reason, _ = running.table.translate(b"")
    shown = command("drops").output.splitlines()
    assert len(shown) == 2
    assert shown[1].split()[:2] == ["1", reason]
    assert len(command("drops", "--all").output.splitlines()) == 1 + len(
        json.loads(command("drops", "--json").output)["drops"]
    )
