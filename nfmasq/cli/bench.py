"""`nfmasq bench`: measures nfmasq on this machine, next to its bounds and its alternatives."""

import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import click

from nfmasq.bench.choice import NAMES, PLACE, Choice, choose
from nfmasq.bench.outcome import Outcome
from nfmasq.bench.page import write
from nfmasq.bench.reading import BenchError
from nfmasq.bench.report import as_json
from nfmasq.bench.tables import as_text, in_short
from nfmasq.bench.whole import take
from nfmasq.cli.ask import end, fail, print_json
from nfmasq.cli.progress import Progress
from nfmasq.config.models import Engine
from nfmasq.exits import Exit
from nfmasq.lab.programs import sbin_too

PACKAGES = {
    "iperf3": "iperf3",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
"""The programs the bench runs, and the Debian package each is in."""


@click.command(
    epilog="""\b
Examples:
  sudo nfmasq bench
  sudo nfmasq bench --quick --report /tmp/performance.md
  sudo nfmasq bench --rounds 3 --only small-packets --only floor --only nfmasq
  sudo nfmasq bench --json > figures.json
  nfmasq bench --core

Run it on an idle machine. Everything happens in network namespaces of its own; this machine's network is not
touched and nothing stays. A report compares all ways and takes the better part of an hour, with --quick some
minutes. A program that is not installed is left out and named."""
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    is_flag=False,
    flag_value=str(PLACE),
    metavar="[FILE]",
    help=f"Measure everything and write it as Markdown, with plots.  [default file: {PLACE}]",
)
@click.option("--quick", is_flag=True, help="The short form: one round, half a second a measurement.")
@click.option("--rounds", type=click.IntRange(min=1), show_default="5", help="Rounds to take.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.5, max=60),
    show_default="3, for a report 2",
    help="Length of each measurement.",
)
@click.option(
    "--queues",
    type=click.IntRange(min=1, max=64),
    show_default="as the daemon, one every two processors",
    help="Workers of nfmasq and of the floors.",
)
@click.option(
    "--senders",
    type=click.IntRange(min=1, max=64),
    default=2,
    show_default=True,
    help="Processes that send small packets.",
)
@click.option(
    "--only",
    type=click.Choice(NAMES),
    multiple=True,
    metavar="NAME",
    help="Take only this measure, or only this variant; may be repeated. A wrong name lists them all.",
)
@click.option("--core", is_flag=True, help="Measure only the table, without a network and without root.")
@click.option("--json", "for_programs", is_flag=True, help="JSON, for scripts.")
def bench(
    *,
    report: Path | None,
    quick: bool,
    rounds: int | None,
    seconds: float | None,
    queues: int | None,
    senders: int,
    only: tuple[str, ...],
    core: bool,
    for_programs: bool,
) -> None:
    """Measure nfmasq against plain forwarding, the kernel's MASQUERADE, bare queue programs and a scapy loop.

    One run, interleaved, medians. It prints a table of figures, one of ratios, and the targets.
    """
    choice = Choice(report is not None, quick, core, frozenset(only), rounds, seconds, senders)
    if not core:
        _require_root()
        _require_programs()
    if report is not None:
        _require_place(report)
    outcome = _measured(choice, queues or Engine().workers)
    if report is not None:
        write(outcome, report)
    if for_programs:
        print_json(as_json(outcome))
    else:
        for line in as_text(outcome) if report is None else in_short(outcome, report):
            click.echo(line)
    if outcome.results.failures:
        end(Exit.FAILED)


def _measured(choice: Choice, queues: int) -> Outcome:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with_scapy = find_spec("scapy") is not None
    if not with_scapy and not choice.core:
        click.echo("nfmasq: bench: no scapy, so no scapy loop: apt-get install python3-scapy", err=True)
    try:
        with Progress() as progress:
            return take(*choose(choice, queues, with_scapy=with_scapy), progress)
    except KeyboardInterrupt:
        fail("bench: stopped")
    except PermissionError as error:
        fail(f"bench: this machine does not let us make network namespaces: {error}", Exit.NOT_PERMITTED)
    except (BenchError, RuntimeError, OSError) as error:
        fail(f"bench: {error}")


def _require_root() -> None:
    if os.geteuid() != 0:
        fail("bench: needs root, to make network namespaces: sudo nfmasq bench", Exit.NOT_PERMITTED)


def _require_programs() -> None:
    os.environ["PATH"] = sbin_too()
    missing = [name for name in PACKAGES if not shutil.which(name)]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        fail(f"bench: {', '.join(missing)} not found: apt-get install {packages}")


def _require_place(report: Path) -> None:
    """Fail now when the report cannot be written, not after an hour of measuring."""
    if not report.suffix:
        fail(f"bench: {report}: plots go to a directory named like the report: give it a suffix, {report}.md")
    if not report.parent.is_dir():
        fail(f"bench: {report.parent}: no such directory; name another file: --report FILE")
    if not os.access(report if report.exists() else report.parent, os.W_OK):
        fail(f"bench: {report}: may not be written; name another file: --report FILE")
