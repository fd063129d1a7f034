"""`nfmasq check`: checks a configuration."""

from collections.abc import Sequence
from pathlib import Path

import click

from nfmasq.cli.ask import DEFAULT_CONFIG, end, print_json
from nfmasq.config import ConfigError, ConfigInvalid, load, missing_interfaces, warnings_of
from nfmasq.exits import Exit


@click.command(
    epilog="""\b
Example:
  nfmasq check /etc/nfmasq/nfmasq.toml

Next: `sudo nfmasq doctor --config FILE` for the machine, then `sudo nfmasq run --config FILE`;
if the daemon runs already, `sudo nfmasq reload`."""
)
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_CONFIG)
@click.option("--here", is_flag=True, help="An interface that this machine lacks is an error, not a warning.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
def check(file: Path, here: bool, as_json: bool) -> None:
    """Check the configuration in FILE. Every error is printed in one run, each with its key and what to do.

    Exit code 0 when it is good, 5 when not. A value below an RFC's minimum is taken, with a warning.
    """
    errors: list[ConfigError] = []
    warnings: list[str] = []
    try:
        config = load(file)
    except ConfigInvalid as invalid:
        errors = invalid.errors
    else:
        warnings = warnings_of(config)
        missing = missing_interfaces(config)
        if here:
            errors = missing
        else:
            warnings += map(str, missing)
    if as_json:
        shown = [{"key": error.key, "reason": error.reason} for error in errors]
        print_json(
            {"schema": 1, "file": str(file), "valid": not errors, "errors": shown, "warnings": warnings}
        )
    else:
        _tell(file, errors, warnings)
    if errors:
        end(Exit.CONFIG_INVALID)


def _tell(file: Path, errors: Sequence[object], warnings: list[str]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for error in errors:
        click.echo(str(error), err=True)
    if not errors:
        click.echo(f"{file} is good")
