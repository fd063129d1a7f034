"""The common part of the commands that ask the daemon: options, errors, output."""

import functools
import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from nfmasq.control.client import DEFAULT_SOCKET, Client, NotPermitted, NotReachable, Refused
from nfmasq.exits import Exit

DEFAULT_CONFIG = "/etc/nfmasq/nfmasq.toml"

Command = TypeVar("Command", bound=Callable[..., Any])

_CODE_OF_STATUS = {400: Exit.USAGE, 422: Exit.CONFIG_INVALID}


def client_command(command: Command) -> Callable[..., Any]:
    """--socket and --json for a command that gets a `client` and `as_json`.

    The client's errors become one line and an exit code.
    """

    @click.option(
        "--socket",
        "path",
        default=DEFAULT_SOCKET,
        show_default=True,
        metavar="PATH",
        help="The daemon's control socket.",
    )
    @click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
    @functools.wraps(command)
    def asking(path: str, as_json: bool, **options: Any) -> None:
        try:
            command(Client(path), as_json, **options)
        except NotReachable as error:
            fail(str(error), Exit.NOT_REACHABLE)
        except NotPermitted as error:
            fail(str(error), Exit.NOT_PERMITTED)
        except Refused as error:
            fail(str(error), _CODE_OF_STATUS.get(error.status, Exit.FAILED))

    return asking


def print_json(answer: object) -> None:
    """Print one object, indented, so that people can read it too."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def end(code: Exit) -> NoReturn:
    """End the command with an exit code."""
    raise click.exceptions.Exit(int(code))


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """One line on stderr, and the end."""
    click.echo(f"nfmasq: {message}", err=True)
    end(code)
