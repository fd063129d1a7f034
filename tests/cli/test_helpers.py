"""`nfmasq helpers` and its subcommands."""

import json
from collections.abc import Callable

from click.testing import Result

from nfmasq.helpers.protocols import NAMES

Command = Callable[..., Result]
GUESTS = "192.168.2.0/24"


def test_the_command_lists_enables_and_disables(command: Command) -> None:
    shown = command("helpers").output.splitlines()
    assert [line.split()[0] for line in shown[1:]] == list(NAMES)
    assert ["ftp", "on", "tcp", "21"] in [line.split()[:4] for line in shown[1:]]
    assert ["irc", "off", "tcp", "6667"] in [line.split()[:4] for line in shown[1:]]
    assert command("helpers", "list").output.splitlines() == shown
    assert (
        command("helpers", "disable", "ftp", "--internal", GUESTS).output
        == f"helper ftp disabled for {GUESTS}\n"
    )
    of_ftp = next(line for line in command("helpers").output.splitlines() if line.startswith("ftp "))
    assert of_ftp.endswith(f"{GUESTS} off")
    assert command("helpers", "enable", "ftp").output == "helper ftp enabled\n"
    assert command("helpers").output.splitlines() == shown
    answer = json.loads(command("helpers", "--json").output)
    assert (answer["schema"], len(answer["helpers"])) == (1, len(NAMES))
    assert json.loads(command("helpers", "enable", "irc", "--json").output)["enabled"] is True


def test_the_command_ends_with_the_right_code(command: Command) -> None:
    unknown = command("helpers", "enable", "fpt")
    assert (unknown.exit_code, unknown.stderr) == (
        1, 'nfmasq: there is no helper "fpt"; did you mean "ftp"?\n',
    )  # fmt: skip
    assert command("helpers", "enable", "ftp", "--internal", "guests").exit_code == 2
    assert command("helpers", "enable").exit_code == 2
