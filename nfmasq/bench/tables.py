"""The results for people: a table of figures, a table of ratios, and the targets."""

from collections.abc import Iterator, Sequence

import click

from nfmasq.bench.reading import Figure, digits
from nfmasq.bench.report import machine
from nfmasq.bench.results import AGAINST, Results
from nfmasq.bench.rounds import Plan
from nfmasq.bench.targets import Judgement
from nfmasq.bench.variants import NFMASQ


def as_text(plan: Plan, results: Results, judgements: Sequence[Judgement]) -> Iterator[str]:
    """The lines for a terminal."""
    yield from figures(plan, results)
    yield from targets(judgements)
    yield from notes(results.notes())


def figures(plan: Plan, results: Results) -> Iterator[str]:
    """The medians, and the ratios; nothing where nothing was measured."""
    if not results.figures:
        return
    about = machine()
    yield (
        f"{plan.rounds} rounds of {plan.seconds:g} s a measurement, interleaved; medians. "
        f"{about['kernel']}, {about['processors']} processors; {plan.workers} workers, "
        f"{plan.senders} senders of small packets."
    )
    yield ""
    yield from _figures(results)
    yield from _ratios(results)
    yield ""


def notes(said: Sequence[str]) -> Iterator[str]:
    """The notes, a line each."""
    for note in said:
        yield f"note: {note}"


def _figures(results: Results) -> Iterator[str]:
    rows = [["", *(variant.title for variant in results.variants), ""]]
    for figure in results.figures:
        medians = (results.median(figure, variant) for variant in results.variants)
        rows.append([figure.title, *(_number(value, figure) for value in medians), figure.unit])
    yield from columns(rows)


def _number(value: float | None, figure: Figure) -> str:
    return "-" if value is None else digits(value / figure.scale)


def _ratios(results: Results) -> Iterator[str]:
    against = [variant for variant in AGAINST if variant in results.variants]
    if NFMASQ not in results.variants or not against:
        return
    yield ""
    rows = [["nfmasq against", *(variant.title for variant in against)]]
    for figure in results.figures:
        ratios = (results.ratio(figure, variant) for variant in against)
        rows.append([figure.title, *("-" if found is None else digits(found.value) for found in ratios)])
    yield from columns(rows)


def targets(judgements: Sequence[Judgement]) -> Iterator[str]:
    """The targets and whether each is reached."""
    if not judgements:
        return
    rows = [
        [
            judgement.mark,
            judgement.title,
            digits(judgement.value),
            f"{'at least' if judgement.more_is_better else 'at most'} {judgement.bound:.3g}",
            _spread(judgement),
        ]
        for judgement in judgements
    ]
    yield "targets"
    for judgement, line in zip(judgements, columns(rows, left=(0, 1, 3, 4)), strict=True):
        mark = click.style(judgement.mark, fg="green" if judgement.reached else "red")
        yield mark + line.removeprefix(judgement.mark)


def _spread(judgement: Judgement) -> str:
    if judgement.ratio is None:
        return ""
    return f"rounds {digits(judgement.ratio.lowest)} to {digits(judgement.ratio.highest)}"


def columns(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> Iterator[str]:
    """A line a row, cells beneath one another, those of the columns `left` to the left."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
