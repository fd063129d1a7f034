"""`nfmasq forwards`: what is led from outside to internal hosts; more of it, less of it, while it runs."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import click

from nfmasq.cli.ask import client_command, print_json
from nfmasq.cli.columns import Column, heading, lines
from nfmasq.control.client import Answer, Client

COLUMNS = (
    Column("id", "ID", 16),
    Column("source", "SOURCE", 7),
    Column("protocol", "PROTO", 7),
    Column("external", "EXTERNAL", 21),
    Column("sessions", "SESSIONS", 8, right=True),
    Column("to", "TO", 0),
)


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose a part of the list."""
    for option in (
        click.option("--limit", type=click.IntRange(0), default=0, metavar="N", help="At most; 0: all."),
        click.option("--protocol", metavar="NAME", help="Only what takes this protocol."),
        click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Only with this port."),
        click.option("--host", metavar="ADDRESS", help="Only to or by this address."),
    ):
        command = option(command)
    return command


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  nfmasq forwards
  sudo nfmasq forwards add --protocol tcp --port 8080 --to 192.168.1.10:80
  sudo nfmasq forwards remove tcp-8080

SOURCE: config for those of the configuration file; runtime for those added by a command,
which last until the daemon ends; kept for those added with --persist.
Where two fit, the more specific one counts.

Next: `nfmasq sessions --host A` for who uses one.""",
)
@_filters
@client_command
def forwards(client: Client, as_json: bool, **filters: Any) -> None:
    """What is led from outside to internal hosts. Without a command: the list."""
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        _show(client, as_json, filters)
    else:  # `forwards --socket PATH add …` is as good as `forwards add --socket PATH …`
        context.default_map = {
            context.invoked_subcommand: {**filters, "path": client.path, "as_json": as_json}
        }


@forwards.command(name="list")
@_filters
@client_command
def list_(client: Client, as_json: bool, **filters: Any) -> None:
    """The list, as without a command."""
    _show(client, as_json, filters)


@forwards.command(
    epilog="""\b
Examples:
  a port            --protocol tcp --port 8080 --to 192.168.1.10:80
  a range           --protocol udp --port 5000-5009 --to 192.168.1.10:6000-6009
  both protocols    --protocol tcp+udp --port 27015 --to 192.168.1.10
  several hosts     --protocol tcp --port 80 --to 192.168.1.10 --to 192.168.1.11
  a whole address   --address 198.51.100.7 --to 192.168.1.10
  all the rest      --to 192.168.1.10

Next: `nfmasq forwards` lists it; `nfmasq forwards remove ID` ends it."""
)
@click.option("--protocol", metavar="NAME", help="tcp, udp, tcp+udp, icmp, gre … or a number; default: any.")
@click.option(
    "--port", "--external-port", "external_port", metavar="PORTS", help="A port or a range; default: all."
)
@click.option(
    "--address",
    "--external-address",
    "external_address",
    metavar="ADDRESS",
    help="One external address; default: all.",
)
@click.option(
    "--to", multiple=True, required=True, metavar="HOST[:PORTS]", help="Where to; several share the sessions."
)
@click.option("--persist", is_flag=True, help="Keep it when the daemon restarts.")
@client_command
def add(client: Client, as_json: bool, to: tuple[str, ...], persist: bool, **keys: str | None) -> None:
    """Lead external endpoints to internal hosts from now on.

    It means what the same keys mean in a [[forward]] of the configuration.
    """
    given = {key: value for key, value in keys.items() if value is not None}
    answer = client.post("/v1/forwards", {**given, "to": list(to), "persist": persist})
    if as_json:
        print_json(answer)
        return
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"forward {answer['id']} added{', and kept' if persist else ''}")


@forwards.command(
    epilog="""\b
Example:
  sudo nfmasq forwards remove tcp-8080

Next: `sudo nfmasq flush --host A` ends the sessions of its host, if they should end too."""
)
@click.argument("identity", metavar="ID")
@client_command
def remove(client: Client, as_json: bool, identity: str) -> None:
    """End a forward that was added. Its live sessions go on.

    One of the configuration file is taken out there, with a reload after.
    """
    answer = client.delete(f"/v1/forwards/{quote(identity, safe='')}")
    if as_json:
        print_json(answer)
    else:
        click.echo(f"forward {answer['removed']} removed")


def _show(client: Client, as_json: bool, filters: dict[str, Any]) -> None:
    found: list[Answer] = []
    following = None
    for part in client.rows("forwards", **filters):
        found += part.rows
        following = part.following
    if as_json:
        print_json({"schema": 1, "forwards": found, "next": following})
        return
    click.echo(heading(COLUMNS))
    for line in lines(COLUMNS, ({**row, **_for_people(row)} for row in found)):
        click.echo(line)


def _for_people(row: Answer) -> dict[str, str]:
    external = row["external_address"] or "*"
    if row["external_port"]:
        external += f":{row['external_port']}"
    return {"external": external, "to": ", ".join(row["to"])}
