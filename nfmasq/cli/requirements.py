"""`nfmasq lab --rfc`: the requirements of the RFCs, checked one by one on this machine."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from shutil import get_terminal_size
from textwrap import wrap

import click

from nfmasq.lab.rfc.every import EVERY, RFCS
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.requirement import Requirement, Standing
from nfmasq.lab.rfc.running import Outcome, run

INDENT = " " * 27
MARKS = {
    "met": ("✔", "green"),
    "partly": ("◐", "yellow"),
    "not met": ("✘", "red"),
    "departure": ("-", "cyan"),
    "not applicable": ("-", "bright_black"),
}


def check_requirements(as_json: bool) -> bool:
    """Check all requirements, print each result as soon as it is known; False when one is not met."""
    counts: Counter[str] = Counter()
    told = []
    with Ground() as ground:
        for rfc, requirements in groupby(EVERY, key=lambda requirement: requirement.rfc):
            if not as_json:
                title = next(each.title for each in RFCS if each.number == rfc)
                click.secho(f"\nRFC {rfc}, {title}", bold=True)
            for outcome in _outcomes(requirements, ground, show=not as_json and sys.stdout.isatty()):
                counts[word(outcome)] += 1
                told.append(_described(outcome))
                if not as_json:
                    _print(outcome)
    if as_json:
        click.echo(json.dumps({"schema": 1, "requirements": told, "summary": dict(counts)}, indent=2))
    else:
        click.echo("\n" + ", ".join(f"{counts[each]} {each}" for each in MARKS if counts[each]))
    return not counts["not met"]


def word(outcome: Outcome) -> str:
    """The result of a requirement, in a word of MARKS."""
    standing = outcome.requirement.standing
    if outcome.met is None:
        return "departure" if standing is Standing.DEPARTURE else "not applicable"
    if not outcome.met:
        return "not met"
    return "partly" if standing is Standing.PARTLY else "met"


def _outcomes(requirements: Iterator[Requirement], ground: Ground, show: bool) -> Iterator[Outcome]:
    for requirement in requirements:
        if show:
            click.echo(f"… {requirement.name}\r", nl=False)
        yield run(requirement, ground)


def _print(outcome: Outcome) -> None:
    requirement, came = outcome.requirement, word(outcome)
    mark, colour = MARKS[came]
    number = f"{requirement.number:<12}"
    click.echo(f"{click.style(mark, fg=colour)} {number} {requirement.level:<11} {requirement.asks}")
    why = outcome.said or ("" if came == "met" else requirement.reason)
    if why:
        width = max(get_terminal_size((110, 24)).columns, 2 * len(INDENT))
        lines = wrap(f"{came}: {why}", width, initial_indent=INDENT, subsequent_indent=INDENT)
        click.secho("\n".join(lines), fg=colour)


def _described(outcome: Outcome) -> dict[str, object]:
    requirement = outcome.requirement
    return {
        "requirement": requirement.name,
        "rfc": requirement.rfc,
        "number": requirement.number,
        "level": requirement.level,
        "asks": requirement.asks,
        "outcome": word(outcome),
        "why": outcome.said or requirement.reason,
    }
