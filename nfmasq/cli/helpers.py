"""`nfmasq helpers`: which there are and what they did; switching them while it runs."""

from typing import Any
from urllib.parse import quote

import click

from nfmasq.cli.ask import client_command, print_json
from nfmasq.cli.columns import Column, heading, lines
from nfmasq.control.client import Answer, Client
from nfmasq.control.readable import si

COLUMNS = (
    Column("name", "HELPER", 10),
    Column("on", "ON", 4),
    Column("served", "PORTS", 14),
    Column("sessions", "SESSIONS", 8, right=True),
    Column("seen", "SEEN", 6, right=True),
    Column("rewritten", "REWRITTEN", 9, right=True),
    Column("refused", "REFUSED", 7, right=True),
    Column("error", "ERRORS", 6, right=True),
    Column("exceptions", "OTHERWISE", 0),
)

_internal = click.option(
    "--internal",
    metavar="CIDR",
    help="Only for internal hosts of this network; default: for all, everywhere.",
)


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  nfmasq helpers
  sudo nfmasq helpers enable irc
  sudo nfmasq helpers disable ftp --internal 192.168.2.0/24

SEEN are messages that carry an endpoint; REWRITTEN those in which it was replaced, REFUSED those
left as they were, for a reason that --json names. ERRORS are sessions that a fault of the helper cost it.
OTHERWISE are networks for whose hosts it is not as under ON.

Next: `nfmasq sessions --helper ftp` for who uses one.""",
)
@client_command
def helpers(client: Client, as_json: bool) -> None:
    """Helpers translate the endpoints some protocols carry in their payload. Without a command: the list."""
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        _show(client, as_json)
    else:  # `helpers --socket PATH enable …` is as good as `helpers enable --socket PATH …`
        context.default_map = {context.invoked_subcommand: {"path": client.path, "as_json": as_json}}


@helpers.command(name="list")
@client_command
def list_(client: Client, as_json: bool) -> None:
    """The list, as without a command."""
    _show(client, as_json)


@helpers.command(
    epilog="""\b
Example:
  sudo nfmasq helpers enable irc --internal 192.168.1.0/24

Lasts until a reload or the daemon's end; [helpers] in the configuration says what is then.
Connections that are open already are not helped.

Next: `nfmasq helpers` shows what it does."""
)
@click.argument("name")
@_internal
@client_command
def enable(client: Client, as_json: bool, name: str, internal: str | None) -> None:
    """Switch a helper on, at once, for connections that begin from now on."""
    _switch(client, as_json, name, internal, True)


@helpers.command(
    epilog="""\b
Example:
  sudo nfmasq helpers disable ftp

Lasts until a reload or the daemon's end; [helpers] in the configuration says what is then.

Next: `nfmasq helpers` shows it off."""
)
@click.argument("name")
@_internal
@client_command
def disable(client: Client, as_json: bool, name: str, internal: str | None) -> None:
    """Switch a helper off, at once, on open connections too.

    It reads and replaces nothing more; connections in which it did so before go on unharmed.
    """
    _switch(client, as_json, name, internal, False)


def _switch(client: Client, as_json: bool, name: str, internal: str | None, enabled: bool) -> None:
    asked: Answer = {"enabled": enabled}
    if internal is not None:
        asked["internal"] = internal
    answer = client.put(f"/v1/helpers/{quote(name, safe='')}", asked)
    if as_json:
        print_json(answer)
    else:
        where = f" for {internal}" if internal else ""
        click.echo(f"helper {answer['name']} {'enabled' if enabled else 'disabled'}{where}")


def _show(client: Client, as_json: bool) -> None:
    answer = client.get("/v1/helpers")
    if as_json:
        print_json(answer)
        return
    click.echo(heading(COLUMNS))
    for line in lines(COLUMNS, map(_for_people, answer["helpers"])):
        click.echo(line)


def _for_people(row: Answer) -> dict[str, Any]:
    exceptions = (f"{each['cidr']} {_word(each['enabled'])}" for each in row["networks"])
    return {
        **row,
        **{result: si(count) for result, count in row["messages"].items()},
        "on": _word(row["enabled"]),
        "served": f"{row['transport']} {','.join(map(str, row['ports']))}",
        "exceptions": ", ".join(exceptions),
    }


def _word(enabled: bool) -> str:
    return "on" if enabled else "off"
