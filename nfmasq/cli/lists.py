"""`nfmasq sessions`, `mappings`, `hosts` and `drops`: the lists the daemon keeps."""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

import click

from nfmasq.cli.ask import client_command, print_json
from nfmasq.cli.columns import Column, heading, lines
from nfmasq.control.client import Answer, Client
from nfmasq.control.readable import si, span

_ENDPOINT = 21

SESSION_COLUMNS = (
    Column("protocol", "PROTO", 5),
    Column("internal", "INTERNAL", _ENDPOINT),
    Column("external", "EXTERNAL", _ENDPOINT),
    Column("remote", "REMOTE", _ENDPOINT),
    Column("state", "STATE", 11),
    Column("packets_out", "PKT OUT", 7, right=True),
    Column("packets_in", "PKT IN", 7, right=True),
    Column("bytes_out", "OUT", 6, right=True),
    Column("bytes_in", "IN", 6, right=True),
    Column("age_s", "AGE", 6, right=True),
    Column("expires_s", "EXPIRES", 7, right=True),
    Column("helper", "HELPER", 0),
)
MAPPING_COLUMNS = (
    Column("protocol", "PROTO", 5),
    Column("internal", "INTERNAL", _ENDPOINT),
    Column("external", "EXTERNAL", _ENDPOINT),
    Column("sessions", "SESSIONS", 8, right=True),
    Column("age_s", "AGE", 6, right=True),
)
HOST_COLUMNS = (
    Column("host", "HOST", 15),
    Column("sessions", "SESSIONS", 8, right=True),
    Column("mappings", "MAPPINGS", 8, right=True),
)
DROP_COLUMNS = (
    Column("count", "PACKETS", 9, right=True),
    Column("reason", "REASON", 22),
    Column("sentence", "WHY", 0),
)

_FOR_PEOPLE: dict[str, Callable[[Any], str]] = {
    "packets_out": si,
    "packets_in": si,
    "bytes_out": si,
    "bytes_in": si,
    "age_s": span,
    "expires_s": span,
}


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose a part of a list."""
    for option in (
        click.option(
            "--after", type=click.IntRange(0), metavar="N", help='Go on where a list ended: its "next".'
        ),
        click.option(
            "--limit",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            metavar="N",
            help="At most so many rows; 0: all.",
        ),
        click.option(
            "--protocol", metavar="NAME", help="Only this protocol: tcp, udp, icmp, gre … or its number."
        ),
        click.option(
            "--port",
            type=click.IntRange(1, 65535),
            metavar="N",
            help="Only with this port (or ICMP id) on any side.",
        ),
        click.option("--host", metavar="ADDRESS", help="Only with this address on any side."),
    ):
        command = option(command)
    return command


@click.command(
    epilog="""\b
Examples:
  nfmasq sessions --host 192.168.1.10 --protocol tcp
  nfmasq sessions --json | jq '[.sessions[].bytes_in] | add'

Next: `nfmasq top` for the busiest, `nfmasq flush --host A` to end those of one host."""
)
@click.option("--helper", metavar="NAME", help="Only those this helper reads.")
@_filters
@client_command
def sessions(client: Client, as_json: bool, **filters: Any) -> None:
    """Who talks to whom: one line a session.

    INTERNAL is the host behind the router, EXTERNAL what it appears as, REMOTE whom it talks to. OUT and IN
    are bytes. With ICMP queries the number after the address is their identifier. HELPER is who reads the
    payload, "-" for nobody.
    """
    _list("sessions", SESSION_COLUMNS, client, as_json, filters)


@click.command(
    epilog="""\b
Example:
  nfmasq mappings --port 5060 --protocol udp

Next: `nfmasq sessions --host A` for whom a mapping is used with."""
)
@_filters
@client_command
def mappings(client: Client, as_json: bool, **filters: Any) -> None:
    """Which external endpoint stands for which internal one.

    A mapping is endpoint-independent (RFC 4787 REQ-1): all sessions of one internal endpoint share it.
    """
    _list("mappings", MAPPING_COLUMNS, client, as_json, filters)


@click.command(
    epilog="""\b
Example:
  nfmasq hosts --json | jq -r '.hosts[] | select(.sessions > 1000) | .host'

Next: `nfmasq sessions --host A`."""
)
@click.option("--host", metavar="ADDRESS", help="Only this host.")
@click.option(
    "--limit", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="At most; 0: all."
)
@click.option("--after", metavar="ADDRESS", help='Go on where a list ended: its "next".')
@client_command
def hosts(client: Client, as_json: bool, limit: int, **filters: Any) -> None:
    """The internal hosts with a mapping, those with the most sessions first."""
    found: list[Answer] = []
    following = None
    for part in client.rows("hosts", limit, **filters):
        found += part.rows
        following = part.following
    if as_json:
        print_json({"schema": 1, "hosts": found, "next": following})
        return
    found.sort(key=lambda row: -row["sessions"])
    _print(HOST_COLUMNS, found)


@click.command(
    epilog="""\b
Example:
  watch nfmasq drops

Next: `nfmasq doctor` when a reason speaks of the router itself."""
)
@click.option("--all", "everything", is_flag=True, help="Reasons that never happened too.")
@client_command
def drops(client: Client, as_json: bool, everything: bool) -> None:
    """Why packets were dropped since the start, the most frequent reason first."""
    answer = client.get("/v1/drops")
    if as_json:
        print_json(answer)
        return
    chosen = [row for row in answer["drops"] if row["count"] or everything]
    if not chosen:
        click.echo("No packet was dropped.")
        return
    chosen.sort(key=lambda row: -row["count"])
    _print(DROP_COLUMNS, chosen)


def _list(
    name: str, columns: tuple[Column, ...], client: Client, as_json: bool, filters: dict[str, Any]
) -> None:
    if as_json:
        _stream_json(name, client, filters)
        return
    following, shown = None, 0
    for part in client.rows(name, **filters):
        if not shown:
            click.echo(heading(columns))
        shown += len(part.rows)
        following = part.following
        _print_rows(columns, part.rows)
    if following is not None:
        click.echo(f"There are more: --after {following}", err=True)


def _stream_json(name: str, client: Client, filters: dict[str, Any]) -> None:
    """One object, printed as its rows arrive."""
    parts = client.rows(name, **filters)
    first = next(parts)  # before any output, so that an error stands alone
    click.echo(f'{{"schema": 1, "{name}": [', nl=False)
    following, separator = None, "\n"
    for part in chain([first], parts):
        if part.rows:
            click.echo(separator + ",\n".join(map(json.dumps, part.rows)), nl=False)
            separator = ",\n"
        following = part.following
    click.echo(f'\n], "next": {json.dumps(following)}}}')


def _print(columns: tuple[Column, ...], rows: list[Answer]) -> None:
    click.echo(heading(columns))
    _print_rows(columns, rows)


def _print_rows(columns: tuple[Column, ...], rows: list[Answer]) -> None:
    if rows:
        click.echo("\n".join(lines(columns, ({**row, **_for_people(row)} for row in rows))))


def _for_people(row: Answer) -> dict[str, str]:
    return {key: shown(row[key]) for key, shown in _FOR_PEOPLE.items() if key in row}
