"""`nfmasq run`: the daemon."""

import sys
from importlib import import_module
from pathlib import Path

import click

from nfmasq.cli.ask import DEFAULT_CONFIG, fail
from nfmasq.machine.shortage import shortage


@click.command(
    epilog="""\b
Example:
  sudo nfmasq run --config /etc/nfmasq/nfmasq.toml

SIGTERM ends it with exit code 0: the rules go, the guard stays. A daemon that dies leaves both. So
nothing leaves untranslated until `nfmasq withdraw` removes them. The next daemon recovers every session.
SIGHUP makes it read the configuration again.

Next: `nfmasq status` from another terminal."""
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    metavar="FILE",
    help="The configuration.",
)
@click.option(
    "--keep-rules",
    is_flag=True,
    help="Leave the rules at the end too: no connection is reset, even without an egress program.",
)
def run(config_path: Path, keep_rules: bool) -> None:
    """Run the daemon in the foreground. It masquerades for the internal networks until SIGTERM."""
    try:
        daemon = import_module("nfmasq.daemon")
    except (ImportError, MemoryError, OSError) as error:
        if lacking := shortage(error):
            fail(f"{lacking}: nfmasq cannot be loaded; raise the limit of memory (`ulimit -v`, MemoryMax=)")
        raise
    sys.exit(daemon.run(config_path, keep_rules))
