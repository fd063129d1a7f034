"""The commands that print a list: one for each row of `nfmasq.control.listings`."""

import json
from collections.abc import Callable
from inspect import cleandoc
from itertools import chain
from typing import Any, NamedTuple

import click

from nfmasq.cli.ask import client_command, print_json
from nfmasq.cli.columns import heading, lines
from nfmasq.control.client import Answer, Client, Part
from nfmasq.control.listings import LISTINGS, Filter, Listing

_TYPES = {"port": click.IntRange(1, 65535), "number": click.IntRange(0)}
_LIMIT = click.option(
    "--limit",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="At most so many rows; 0: all.",
)


class Help(NamedTuple):
    """The text before the options, and the text behind them."""

    text: str
    epilog: str


def help_of(listing: Listing) -> Help:
    """The help of a list's command."""
    title = "Example:" if len(listing.examples) == 1 else "Examples:"
    examples = "\n".join([title, *(f"  {each}" for each in listing.examples)])
    return Help(
        text=f"{listing.about}\n\n{cleandoc(listing.more)}",
        epilog=f"\b\n{examples}\n\nNext: {listing.next}",
    )


def options_of(listing: Listing) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a list's command, in the order of its filters."""
    options = [_option(each) for each in listing.filters]
    if listing.after:
        options += [_LIMIT, _option(listing.after)]
    if listing.idle:
        options.append(click.option("--all", "everything", is_flag=True, help=listing.idle_are))

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def show(
    listing: Listing, client: Client, as_json: bool, everything: bool = False, limit: int = 0, **filters: Any
) -> None:
    """Print a list, or the part of it that is asked for. everything: the idle rows too."""
    if listing.long:
        _show_long(listing, client, as_json, limit, filters)
        return
    answer = _whole(listing, client, limit, filters)
    if as_json:
        print_json(answer)
        return
    rows = [row for row in answer[listing.name] if everything or not (listing.idle and listing.idle(row))]
    if not rows and listing.empty:
        click.echo(listing.empty)
        return
    if (key := listing.busiest) is not None:
        rows.sort(key=lambda row: -row[key])
    click.echo(heading(listing.columns))
    _print_rows(listing, rows)
    _say_more(answer.get("next"))


def _option(parameter: Filter) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    kind = _TYPES.get(parameter.kind)
    return click.option(f"--{parameter.name}", type=kind, metavar=parameter.metavar, help=parameter.about)


def _whole(listing: Listing, client: Client, limit: int, filters: dict[str, Any]) -> Answer:
    """The answer with all rows that are asked for, fetched part by part where the list has parts."""
    if listing.after is None:
        return client.get(f"/v1/{listing.name}", **filters)
    rows: list[Answer] = []
    following = None
    for part in client.rows(listing.name, limit, **filters):
        rows += part.rows
        following = part.following
    return {"schema": 1, listing.name: rows, "next": following}


def _show_long(listing: Listing, client: Client, as_json: bool, limit: int, filters: dict[str, Any]) -> None:
    """Print a list as it arrives."""
    parts = client.rows(listing.name, limit, **filters)
    first = next(parts)  # before any output, so that an error stands alone
    if as_json:
        _print_json(listing, chain([first], parts))
        return
    click.echo(heading(listing.columns))
    following = None
    for part in chain([first], parts):
        _print_rows(listing, part.rows)
        following = part.following
    _say_more(following)


def _print_json(listing: Listing, parts: "chain[Part]") -> None:
    """One object, printed as its rows arrive."""
    click.echo(f'{{"schema": 1, "{listing.name}": [', nl=False)
    following, separator = None, "\n"
    for part in parts:
        if part.rows:
            click.echo(separator + ",\n".join(map(json.dumps, part.rows)), nl=False)
            separator = ",\n"
        following = part.following
    click.echo(f'\n], "next": {json.dumps(following)}}}')


def _print_rows(listing: Listing, rows: list[Answer]) -> None:
    if rows:
        click.echo("\n".join(lines(listing.columns, rows)))


def _say_more(following: object) -> None:
    if following is not None:
        click.echo(f"There are more: --after {following}", err=True)


def group_of(listing: Listing, more: str) -> click.Group:
    """The group of a list that has subcommands: it prints the list where none is given, as `list` does.

    more: what its help explains in addition.
    """
    about = help_of(listing)

    @click.group(name=listing.name, invoke_without_command=True, help=about.text + more, epilog=about.epilog)
    @options_of(listing)
    @client_command
    def group(client: Client, as_json: bool, **asked: Any) -> None:
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            show(listing, client, as_json, **asked)
            return
        # The options may stand before the subcommand: `forwards --socket PATH add …`.
        context.default_map = {context.invoked_subcommand: {**asked, "path": client.path, "as_json": as_json}}

    group.add_command(_command(listing, "list", Help("The list, as without a subcommand.", "")))
    return group


def _command(listing: Listing, name: str, about: Help) -> click.Command:
    @click.command(name=name, help=about.text, epilog=about.epilog)
    @options_of(listing)
    @client_command
    def command(client: Client, as_json: bool, **asked: Any) -> None:
        show(listing, client, as_json, **asked)

    return command


COMMANDS = {name: _command(listing, name, help_of(listing)) for name, listing in LISTINGS.items()}
"""A command for each list. Two are groups of their own instead: see `forwards` and `helpers`."""
