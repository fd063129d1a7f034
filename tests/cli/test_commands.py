"""The commands: their exit codes, what they print, and how little they import."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.behind import CLIENT, EXTERNAL, OTHER_CLIENT, Bare, speak

from nfmasq.cli import SECTIONS, main
from nfmasq.config import ConfigError
from nfmasq.control.running import ReloadOutcome

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


def test_status_ends_with_6_when_degraded_and_says_why(running: Bare, command: Command) -> None:
    good = command("status")
    assert good.exit_code == 0
    assert str(EXTERNAL) in good.output
    running.seen = replace(running.seen, problems=("no external address on wan0",))
    bad = command("status")
    assert bad.exit_code == 6
    assert "no external address on wan0" in bad.output
    assert command("status", "--json").exit_code == 6


def test_drops_show_what_happened_and_all_reasons_when_asked(running: Bare, command: Command) -> None:
    assert "No packet was dropped" in command("drops").output
    reason, _ = running.table.translate(b"")
    shown = command("drops").output.splitlines()
    assert len(shown) == 2
    assert shown[1].split()[:2] == ["1", reason]
    assert len(command("drops", "--all").output.splitlines()) == 1 + len(
        json.loads(command("drops", "--json").output)["drops"]
    )


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


def test_top_prints_rates_and_sessions_when_there_is_no_terminal(running: Bare, command: Command) -> None:
    speak(running.table, CLIENT, 5000)
    shown = command("top", "--count", "1", "--every", "0.2")
    assert shown.exit_code == 0
    assert f"{CLIENT}:5000" in shown.output
    answer = json.loads(command("top", "--count", "1", "--every", "0.2", "--json").output)
    assert answer["schema"] == 1
    assert answer["rates"]["outbound"] == {"packets_per_s": 0.0, "bits_per_s": 0.0}


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


def test_doctor_answers_a_line_a_check_with_a_mend_where_it_fails() -> None:
    answer = json.loads(call("doctor", "--json").output)
    assert answer["schema"] == 1
    assert all(set(check) == {"name", "status", "why", "mend"} for check in answer["checks"])
    failed = [check for check in answer["checks"] if check["status"] == "fail"]
    assert answer["able"] is not bool(failed)
    assert all(check["mend"] for check in failed)
