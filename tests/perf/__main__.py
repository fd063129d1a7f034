"""The developers' bench: `python -m perf`, from tests/."""

import os
from pathlib import Path
from typing import Any

import click

from nfmasq.cli.ask import end, fail, print_json
from nfmasq.cli.bench import has_scapy, measuring, need_privilege_and_programs, plan_options, workers_of
from nfmasq.exits import Exit
from perf.choice import NAMES, PLACE, Choice, choose
from perf.page import write
from perf.report import as_json
from perf.text import as_text, in_short
from perf.whole import take


@click.command()
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    is_flag=False,
    flag_value=str(PLACE),
    metavar="[FILE]",
    help="Measure everything, two seconds a measurement, and write it as Markdown, with plots in a directory "
    "named like the file.  [default file: docs/performance.md]",
)
@click.option("--core", is_flag=True, help="Measure only what needs no network and no root.")
@plan_options(NAMES)
def main(
    *,
    report: Path | None,
    core: bool,
    workers: int | None,
    for_programs: bool,
    only: tuple[str, ...],
    **options: Any,
) -> None:
    """Measure what `nfmasq bench` does, and what only the source tree can.

    A report compares all ways there are and takes the better part of an hour, --quick some minutes. A way
    that is not installed is left out and named.
    """
    if not core:
        need_privilege_and_programs()
    if report is not None:
        _need_place(report)
    choice = Choice(report=report is not None, core=core, only=frozenset(only), **options)
    plan, wanted = choose(choice, workers_of(workers), with_scapy=not core and has_scapy())
    with measuring() as progress:
        outcome = take(plan, wanted, progress)
    if report is not None:
        write(outcome, report)
    if for_programs:
        print_json(as_json(outcome))
    else:
        for line in as_text(outcome) if report is None else in_short(outcome, report):
            click.echo(line)
    if outcome.results.failures:
        end(Exit.FAILED)


def _need_place(report: Path) -> None:
    """Fail before the run, which takes an hour, where the report cannot be written."""
    if not report.suffix:
        fail(f"bench: {report}: plots go to a directory named like the report: give it a suffix, {report}.md")
    if not report.parent.is_dir():
        fail(f"bench: {report.parent}: no such directory; name another file: --report FILE")
    if not os.access(report if report.exists() else report.parent, os.W_OK):
        fail(f"bench: {report}: may not be written; name another file: --report FILE")


if __name__ == "__main__":
    main()
