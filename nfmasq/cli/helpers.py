"""`nfmasq helpers`: the list of helpers, and the commands that enable and disable one."""

from urllib.parse import quote

import click

from nfmasq.cli.ask import client_command, print_json
from nfmasq.cli.lists import group_of
from nfmasq.control.client import Answer, Client
from nfmasq.control.listings import HELPERS

_COLUMNS = """

\b
SEEN: messages that carry an endpoint.
REWRITTEN: messages in which the endpoint was replaced.
NOT ACTED ON: messages that the helper left alone; --json has the reasons.
ERRORS: sessions that lost their helper by a fault of it.
OTHERWISE: networks whose setting differs from ON."""

_internal = click.option(
    "--internal",
    metavar="CIDR",
    help="Only for internal hosts of this network; default: for all hosts, without exceptions.",
)


helpers = group_of(HELPERS, _COLUMNS)


@helpers.command(
    epilog="""\b
Example:
  sudo nfmasq helpers enable irc --internal 192.168.1.0/24

The setting lasts until a reload or the daemon's end; then [helpers] in the configuration counts again.
Open sessions stay without the helper.

Next: `nfmasq helpers` shows its counters."""
)
@click.argument("name")
@_internal
@client_command
def enable(client: Client, as_json: bool, name: str, internal: str | None) -> None:
    """Enable a helper for sessions that begin from now on."""
    _set(client, as_json, name, internal, True)


@helpers.command(
    epilog="""\b
Example:
  sudo nfmasq helpers disable ftp

The setting lasts until a reload or the daemon's end; then [helpers] in the configuration counts again.

Next: `nfmasq helpers` shows it as off."""
)
@click.argument("name")
@_internal
@client_command
def disable(client: Client, as_json: bool, name: str, internal: str | None) -> None:
    """Disable a helper immediately, on open sessions too.

    It reads and replaces nothing more. Sessions in which it did so before go on unharmed.
    """
    _set(client, as_json, name, internal, False)


def _set(client: Client, as_json: bool, name: str, internal: str | None, enabled: bool) -> None:
    asked: Answer = {"enabled": enabled}
    if internal is not None:
        asked["internal"] = internal
    answer = client.put(f"/v1/helpers/{quote(name, safe='')}", asked)
    if as_json:
        print_json(answer)
    else:
        where = f" for {internal}" if internal else ""
        click.echo(f"helper {answer['name']} {'enabled' if enabled else 'disabled'}{where}")
