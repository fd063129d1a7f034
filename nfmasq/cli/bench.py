"""`nfmasq bench`: how fast is it here, beside its bounds and its alternatives?"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import click

from nfmasq.bench.measures import EXTRA as EXTRA_MEASURES
from nfmasq.bench.measures import MEASURES
from nfmasq.bench.memory import Memory, idle, table_cost
from nfmasq.bench.reading import BenchError
from nfmasq.bench.report import as_json
from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan, run
from nfmasq.bench.tables import as_text
from nfmasq.bench.variants import EXTRA as EXTRA_VARIANTS
from nfmasq.bench.variants import SCAPY, VARIANTS
from nfmasq.cli.ask import end, fail, print_json
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

MEMORY = "memory"
_MEASURES = {measure.name: measure for measure in (*MEASURES, *EXTRA_MEASURES)}
_VARIANTS = {variant.name: variant for variant in (*VARIANTS, *EXTRA_VARIANTS)}
_EXTRA = {*(measure.name for measure in EXTRA_MEASURES), *(variant.name for variant in EXTRA_VARIANTS)}
"""Taken only for a report, or when named."""


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
    show_default="as the daemon, one every two processors",
    help="Netfilter queues of each queue program.",
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
    type=click.Choice([*_MEASURES, MEMORY, *_VARIANTS]),
    multiple=True,
    metavar="NAME",
    help="Take only this measure, or only this variant; may be repeated. A wrong name lists them all.",
)
@click.option("--core", is_flag=True, help="Measure only the table, without a network and without root.")
@click.option("--json", "for_programs", is_flag=True, help="JSON, for scripts.")
def bench(
    *,
    rounds: int,
    seconds: float,
    queues: int | None,
    senders: int,
    only: tuple[str, ...],
    core: bool,
    for_programs: bool,
) -> None:
    """Measure nfmasq against plain forwarding, the kernel's MASQUERADE, bare queue programs and a scapy loop.

    One run, interleaved, medians; a table of figures, one of ratios, and the targets they are held against.
    """
    plan = Plan((), (), rounds, seconds, queues or Engine().queues, senders)
    if not core:
        _require_root()
        _require_programs()
        plan = _chosen(plan, only)
    try:
        results, memory = _measured(plan, with_memory=core or _wanted(MEMORY, only), with_daemon=not core)
    except KeyboardInterrupt:
        fail("bench: stopped")
    except PermissionError as error:
        fail(f"bench: this machine does not let us make network namespaces: {error}", Exit.NOT_PERMITTED)
    except (BenchError, RuntimeError, OSError) as error:
        fail(f"bench: {error}")
    if for_programs:
        print_json(as_json(plan, results, memory))
    else:
        for line in as_text(plan, results, memory):
            click.echo(line)
    if results.failures:
        end(Exit.FAILED)


def _wanted(name: str, only: tuple[str, ...]) -> bool:
    """Is it named, or nothing of its kind and it is no extra?"""
    kind = _VARIANTS if name in _VARIANTS else {*_MEASURES, MEMORY}
    return name in only or (name not in _EXTRA and not any(other in kind for other in only))


def _chosen(plan: Plan, only: tuple[str, ...]) -> Plan:
    """The plan with the measures and variants that are wanted and can be had."""
    variants = tuple(variant for variant in _VARIANTS.values() if _wanted(variant.name, only))
    if SCAPY in variants and find_spec("scapy") is None:
        click.echo("nfmasq: bench: no scapy, so no scapy loop: apt-get install python3-scapy", err=True)
        variants = tuple(variant for variant in variants if variant is not SCAPY)
    return replace(
        plan, variants=variants, measures=tuple(m for m in _MEASURES.values() if _wanted(m.name, only))
    )


def _require_root() -> None:
    if os.geteuid() != 0:
        fail("bench: needs root, to make network namespaces: sudo nfmasq bench", Exit.NOT_PERMITTED)


def _require_programs() -> None:
    os.environ["PATH"] = sbin_too()
    missing = [name for name in PACKAGES if not shutil.which(name)]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        fail(f"bench: {', '.join(missing)} not found: apt-get install {packages}")


def _measured(plan: Plan, *, with_memory: bool, with_daemon: bool) -> tuple[Results, Memory]:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _Progress() as progress:
        if plan.measures:
            progress(f"{plan.rounds} rounds, about {max(1, plan.about_s / 60):.0f} minutes")
        results = run(plan, progress)
        return results, _memory(progress, with_daemon) if with_memory else Memory()


def _memory(progress: Callable[[str], None], with_daemon: bool) -> Memory:
    held = None
    if with_daemon:
        progress("starting a daemon, to see what it holds")
        held = idle()
    progress("filling a table with a million sessions")
    return Memory(held, table_cost())


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
