"""`nfmasq lab --neighbours`: what else runs on routers, visited one by one on this machine."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

import click

from nfmasq.lab.neighbours.every import EVERY
from nfmasq.lab.neighbours.neighbour import Neighbour, Outcome, Result, call_on
from nfmasq.lab.topology import Masquerade

MARKS: dict[Result, tuple[str, str]] = {
    "ok": ("ok  ", "green"),
    "failed": ("FAIL", "red"),
    "not here": ("-   ", "yellow"),
}


def visit_neighbours(masquerade: Masquerade, as_json: bool, neighbours: Iterable[Neighbour] = EVERY) -> bool:
    """Visit all neighbours, print each outcome as soon as it is known; False when one fails."""
    outcomes = []
    for outcome in _visits(masquerade, neighbours):
        outcomes.append(outcome)
        if not as_json:
            _print(outcome)
    counts = Counter(outcome.result for outcome in outcomes)
    if as_json:
        told = [_described(outcome) for outcome in outcomes]
        click.echo(json.dumps({"schema": 1, "neighbours": told, "summary": dict(counts)}, indent=2))
    else:
        missing = f", {counts['not here']} not here" if counts["not here"] else ""
        click.echo(f"{counts['ok']} of {len(outcomes)} passed{missing}")
    return not counts["failed"]


def _visits(masquerade: Masquerade, neighbours: Iterable[Neighbour]) -> Iterator[Outcome]:
    return (call_on(neighbour, masquerade) for neighbour in neighbours)


def _print(outcome: Outcome) -> None:
    mark, colour = MARKS[outcome.result]
    said = f"not here: {outcome.saw}" if outcome.result == "not here" else outcome.saw
    click.echo(f"{click.style(mark, fg=colour)} {outcome.neighbour.name}: {said}")
    click.secho(f"     right: {outcome.neighbour.right}", dim=True)


def _described(outcome: Outcome) -> dict[str, object]:
    return {
        "neighbour": outcome.neighbour.name,
        "right": outcome.neighbour.right,
        "outcome": outcome.result,
        "saw": outcome.saw,
    }
