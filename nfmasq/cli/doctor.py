"""`nfmasq doctor`: checks the machine."""

from dataclasses import asdict
from pathlib import Path

import click

from nfmasq.cli.ask import end, print_json
from nfmasq.config import Config, ConfigInvalid, load
from nfmasq.doctor import Check, checks
from nfmasq.exits import Exit

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(
    epilog="""\b
Examples:
  sudo nfmasq doctor
  sudo nfmasq doctor --config /etc/nfmasq/nfmasq.toml --json

Exit code 1 when a check fails. Next: do what it says, then `nfmasq check FILE`."""
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check the needs of this configuration too.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
def doctor(config_path: Path | None, as_json: bool) -> None:
    """Check whether this machine can masquerade. A line a check: ok, warn or fail, why, and what to do.

    It looks at the kernel, the programs and the privileges. With a configuration it also looks at the router.
    It changes nothing that stays.
    """
    found = checks(_config(config_path) if config_path else None)
    if as_json:
        failed = any(check.status == "fail" for check in found)
        print_json({"schema": 1, "able": not failed, "checks": [asdict(check) for check in found]})
    else:
        for check in found:
            _print(check)
    if any(check.status == "fail" for check in found):
        end(Exit.FAILED)


def _config(path: Path) -> Config:
    try:
        return load(path)
    except ConfigInvalid as invalid:
        for error in invalid.errors:
            click.echo(str(error), err=True)
        end(Exit.CONFIG_INVALID)


def _print(check: Check) -> None:
    mark = click.style(f"{check.status:<4}", fg=_COLOURS[check.status])
    click.echo(f"{mark}  {check.name}: {check.why}")
    if check.mend:
        click.echo(f"      fix: {check.mend}")
