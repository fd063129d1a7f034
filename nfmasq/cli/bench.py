"""`nfmasq bench`: how fast is it here, beside its bounds and its alternatives?"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import click

from nfmasq.bench.choice import NAMES, Choice, choose
from nfmasq.bench.reading import BenchError
from nfmasq.bench.report import as_json
from nfmasq.bench.rounds import run
from nfmasq.bench.tables import as_text
from nfmasq.bench.targets import judge
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


def _for_developers(_: click.Context, option: click.Parameter, value: object) -> None:
    """An option that was here once says where it went."""
    if value:
        raise click.UsageError(
            f"{option.opts[0]} needs the source tree: in its tests directory, python -m perf {option.opts[0]}"
        )


def plan_options(names: list[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that say what is measured, and for how long; names: of what --only takes."""
    options = (
        click.option("--quick", is_flag=True, help="The short form: one round, half a second a measurement."),
        click.option("--rounds", type=click.IntRange(min=1), help="Rounds to take; default: 5."),
        click.option(
            "--seconds",
            type=click.FloatRange(min=0.5, max=60),
            help="Length of each measurement; default: 3.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1, max=64),
            help="Workers of nfmasq and of the floors; default: one for every two processors, as the daemon.",
        ),
        click.option(
            "--senders",
            type=click.IntRange(min=1, max=64),
            default=2,
            show_default=True,
            help="Processes that send small packets.",
        ),
        click.option(
            "--only",
            type=click.Choice(names),
            multiple=True,
            metavar="NAME",
            help="Take only this measure, or only this variant; repeatable. A wrong name lists all names.",
        ),
        click.option("--json", "for_programs", is_flag=True, help="JSON, for scripts."),
    )

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.command(
    epilog="""\b
Examples:
  sudo nfmasq bench
  sudo nfmasq bench --quick
  sudo nfmasq bench --rounds 3 --only small-packets --only floor --only nfmasq
  sudo nfmasq bench --json > figures.json

\b
Floors are queue programs that do less than nfmasq, so they bound what it can reach:
  floor              accepts every batch of packets unchanged
  rewriting floor    also rewrites every packet, without a table

Run it on a machine that has nothing else to do. All of it happens in network namespaces of its own. The bench
leaves this machine's network alone, and nothing stays."""
)
@plan_options(NAMES)
@click.option("--report", is_flag=False, flag_value="here", hidden=True, callback=_for_developers)
@click.option("--queues", type=click.IntRange(min=1, max=64), hidden=True)
@click.option("--core", is_flag=True, hidden=True, callback=_for_developers)
def bench(
    *, workers: int | None, queues: int | None, for_programs: bool, only: tuple[str, ...], **options: Any
) -> None:
    """Measure nfmasq against plain forwarding, the kernel's MASQUERADE, floors and a scapy loop.

    The measurements take turns in one run; the figures are medians. The output is a table of figures, a table
    of ratios, and the targets.
    """
    del options["report"], options["core"]
    workers = queues or workers
    need_privilege_and_programs()
    with_scapy = has_scapy()
    plan = choose(Choice(only=frozenset(only), **options), workers_of(workers), with_scapy=with_scapy)
    with measuring() as progress:
        results = run(plan, progress)
    judgements = list(judge(results))
    if for_programs:
        print_json(as_json(plan, results, judgements))
    else:
        for line in as_text(plan, results, judgements):
            click.echo(line)
    if results.failures:
        end(Exit.FAILED)


def workers_of(asked_for: int | None) -> int:
    """How many workers each queue program gets: as many as the daemon has, unless others are asked for."""
    return asked_for or Engine().workers


def has_scapy() -> bool:
    """Is scapy installed? If not, say on stderr that its loop is left out."""
    if find_spec("scapy") is not None:
        return True
    click.echo("nfmasq: bench: no scapy, so no scapy loop: apt-get install python3-scapy", err=True)
    return False


@contextmanager
def measuring() -> Iterator[Callable[[str], None]]:
    """Show progress meanwhile; end with one line that says why where something cannot be measured."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Progress() as progress:
            yield progress
    except KeyboardInterrupt:
        fail("bench: stopped")
    except PermissionError as error:
        fail(f"bench: this machine does not let us make network namespaces: {error}", Exit.NOT_PERMITTED)
    except (BenchError, RuntimeError, OSError) as error:
        fail(f"bench: {error}")


def need_privilege_and_programs() -> None:
    """End with one line where the user is not root, or a program the bench runs is not installed."""
    if os.geteuid() != 0:
        fail("bench: needs root, to make network namespaces: sudo nfmasq bench", Exit.NOT_PERMITTED)
    os.environ["PATH"] = sbin_too()
    missing = [name for name in PACKAGES if not shutil.which(name)]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        fail(f"bench: {', '.join(missing)} not found: apt-get install {packages}")
