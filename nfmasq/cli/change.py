"""`nfmasq flush` and `nfmasq reload`: they change a running daemon."""

import click

from nfmasq.cli.ask import client_command, end, print_json
from nfmasq.control.client import Answer, Client, Refused
from nfmasq.exits import Exit


@click.command(
    epilog="""\b
Examples:
  sudo nfmasq flush --host 192.168.1.10
  sudo nfmasq flush --all

Next: `nfmasq sessions` shows the sessions that begin again."""
)
@click.option("--host", metavar="ADDRESS", help="The internal host whose sessions end.")
@click.option("--all", "everything", is_flag=True, help="All sessions end.")
@client_command
def flush(client: Client, as_json: bool, host: str | None, everything: bool) -> None:
    """End the sessions of one internal host, or all. Their connections break."""
    if (host is None) == (not everything):
        raise click.UsageError("say which: --host ADDRESS or --all")
    answer = client.post("/v1/flush", {"all": True} if everything else {"host": host})
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer['flushed']} sessions ended")


@click.command(
    epilog="""\b
Example:
  nfmasq check /etc/nfmasq/nfmasq.toml && sudo nfmasq reload

Exit code 5 when the configuration is wrong; the old one is then still in force.
A change of engine.*, limits.sessions, control.socket or metrics.listen needs a restart."""
)
@client_command
def reload(client: Client, as_json: bool) -> None:
    """Let the daemon read its configuration again, without losing a session."""
    try:
        answer = client.post("/v1/reload")
    except Refused as refused:
        if "errors" not in refused.answer:
            raise
        answer = refused.answer
    if as_json:
        print_json(answer)
    else:
        _tell(answer)
    if not answer["reloaded"]:
        end(Exit.CONFIG_INVALID)


def _tell(answer: Answer) -> None:
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    for error in answer["errors"]:
        click.echo(f"{error['key']}: {error['reason']}", err=True)
    click.echo(
        "reloaded" if answer["reloaded"] else "not reloaded; the old configuration is in force",
        err=not answer["reloaded"],
    )
