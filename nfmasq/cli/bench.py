"""`nfmasq bench`: how fast is it here, beside its bounds and its alternatives?"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from nfmasq.cli.ask import end, fail, print_json
from nfmasq.exits import Exit

if TYPE_CHECKING:
    from nfmasq.bench.report import Memory
    from nfmasq.bench.rounds import Plan

PACKAGES = {
    "iperf3": "iperf3",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
"""The programs the bench runs, and the Debian package each is in."""

MEMORY = "memory"


@click.command(
    epilog="""\b
Examples:
  sudo nfmasq bench
  sudo nfmasq bench --rounds 3 --only small-packets --only floor --only nfmasq
  sudo nfmasq bench --json > figures.json
  nfmasq bench --core

Run it on a machine that has nothing else to do. Everything happens in network namespaces of its own;
nothing of this machine's network is touched and nothing stays."""
)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds to take.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.5, max=60),
    default=3,
    show_default=True,
    help="Length of each measurement.",
)
@click.option(
    "--queues",
    type=click.IntRange(min=1, max=64),
    help="Netfilter queues of each queue program.  [default: as the daemon, one a processor]",
)
@click.option(
    "--only",
    "only",
    multiple=True,
    metavar="NAME",
    help="Take only this measure, or only this variant; may be repeated. An unknown name lists them all.",
)
@click.option("--core", is_flag=True, help="Measure only the table, without a network and without root.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
def bench(
    rounds: int, seconds: float, queues: int | None, only: tuple[str, ...], core: bool, as_json: bool
) -> None:
    """Measure nfmasq against plain forwarding, the kernel's MASQUERADE, bare queue programs and a scapy loop.

    One run, interleaved, medians; a table of figures, one of ratios, and the targets they are held against.
    """
    from nfmasq.bench.reading import BenchError
    from nfmasq.bench.rounds import Plan
    from nfmasq.config.models import Engine

    plan = Plan((), (), rounds, seconds, queues or Engine().queues)
    memory = core
    if not core:
        plan, memory = _chosen(plan, only)
        _require_root()
        _require_programs()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _measure(plan, memory, core, as_json)
    except KeyboardInterrupt:
        fail("bench: stopped")
    except PermissionError as error:
        fail(f"bench: this machine does not let us make network namespaces: {error}", Exit.NOT_PERMITTED)
    except (BenchError, RuntimeError, OSError) as error:
        fail(f"bench: {error}")


def _chosen(plan: "Plan", only: tuple[str, ...]) -> "tuple[Plan, bool]":
    """The plan with what is to be measured, and whether memory is."""
    from dataclasses import replace

    from nfmasq.bench.measures import MEASURES
    from nfmasq.bench.variants import SCAPY, VARIANTS

    measures = {measure.name: measure for measure in MEASURES}
    variants = {variant.name: variant for variant in VARIANTS}
    for name in only:
        if name not in {*measures, *variants, MEMORY}:
            raise click.UsageError(
                f"--only {name!r} is neither a measure ({', '.join((*measures, MEMORY))}) "
                f"nor a variant ({', '.join(variants)})"
            )
    named_measures = [name for name in (*measures, MEMORY) if name in only] or [*measures, MEMORY]
    named_variants = [name for name in variants if name in only] or list(variants)
    if SCAPY.name in named_variants and find_spec("scapy") is None:
        click.echo("nfmasq: bench: without scapy, which is not installed (apt-get install python3-scapy)", err=True)
        named_variants.remove(SCAPY.name)
    chosen = replace(
        plan,
        measures=tuple(measures[name] for name in named_measures if name != MEMORY),
        variants=tuple(variants[name] for name in named_variants),
    )
    return chosen, MEMORY in named_measures


def _require_root() -> None:
    if os.geteuid() != 0:
        fail("bench: needs root, to make network namespaces: sudo nfmasq bench", Exit.NOT_PERMITTED)


def _require_programs() -> None:
    from nfmasq.lab.programs import sbin_too

    os.environ["PATH"] = sbin_too()
    missing = [name for name in PACKAGES if not shutil.which(name)]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        fail(f"bench: {', '.join(missing)} not found: apt-get install {packages}")


def _measure(plan: "Plan", with_memory: bool, core: bool, as_json: bool) -> None:
    from nfmasq.bench import report
    from nfmasq.bench.rounds import run

    with _Progress() as progress:
        if plan.measures:
            progress(f"{plan.rounds} rounds, about {plan.about_s / 60:.0f} minutes")
        results = run(plan, progress)
        memory = _memory(with_memory, core, progress)
    if as_json:
        print_json(report.as_json(plan, results, memory))
    else:
        for line in report.as_text(plan, results, memory):
            click.echo(line)
    if results.failures:
        end(Exit.FAILED)


def _memory(wanted: bool, core: bool, progress: Callable[[str], None]) -> "Memory":
    from nfmasq.bench.memory import idle, table_cost
    from nfmasq.bench.report import Memory

    if not wanted:
        return Memory()
    idle_bytes = None
    if not core:
        progress("starting a daemon, to see what it holds")
        idle_bytes = idle()
    progress("filling a table with a million sessions")
    return Memory(idle_bytes, table_cost())


class _Progress:
    """Says on stderr what is being done: on a terminal in one line that is written over, else a line each."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Callable[[str], None]:
        return self._say

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            click.echo("\r\033[K", nl=False, err=True)

    def _say(self, text: str) -> None:
        click.echo(f"\r\033[K{text}" if self._terminal else text, nl=not self._terminal, err=True)
