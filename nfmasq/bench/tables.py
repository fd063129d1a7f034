"""What came out, for people: a table of figures, one of ratios, and the targets."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from nfmasq.bench import helped
from nfmasq.bench.instructions import TITLES
from nfmasq.bench.memory import Memory, TableCost
from nfmasq.bench.outcome import Outcome
from nfmasq.bench.reading import Figure, digits
from nfmasq.bench.report import machine
from nfmasq.bench.results import AGAINST, Results
from nfmasq.bench.targets import Judgement, judge
from nfmasq.bench.variants import NFMASQ


def as_text(outcome: Outcome) -> Iterator[str]:
    """The lines for a terminal."""
    plan, results, memory = outcome.plan, outcome.results, outcome.memory
    if results.figures:
        about = machine()
        yield (
            f"{plan.rounds} rounds of {plan.seconds:g} s a measurement, interleaved; medians. "
            f"{about['kernel']}, {about['processors']} processors; {plan.queues} workers, "
            f"{plan.senders} senders of small packets."
        )
        yield ""
        yield from _figures(results)
        yield from _ratios(results)
        yield ""
    yield from _memory(memory)
    yield from _helpers(outcome)
    yield from _targets(list(judge(outcome)))
    yield from _instructions(outcome)
    for note in (*results.notes(), *outcome.notes):
        yield f"note: {note}"


def in_short(outcome: Outcome, report: Path) -> Iterator[str]:
    """What is said on a terminal when all the rest is in the report."""
    yield from _targets(list(judge(outcome)))
    yield f"all of it: {report}"


def _figures(results: Results) -> Iterator[str]:
    rows = [["", *(variant.title for variant in results.variants), ""]]
    for figure in results.figures:
        medians = (results.median(figure, variant) for variant in results.variants)
        rows.append([figure.title, *(_number(value, figure) for value in medians), figure.unit])
    yield from _columns(rows)


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
    yield from _columns(rows)


def _memory(memory: Memory) -> Iterator[str]:
    if memory.table is None:
        return
    cost = memory.table
    yield (
        f"a packet in the table: {cost.established_few_ns:.0f} ns with a thousand sessions, "
        f"{cost.established_many_ns:.0f} ns with {cost.sessions}; one that begins a session: "
        f"{cost.new_few_ns:.0f} and {cost.new_many_ns:.0f} ns"
    )
    yield extremes(cost)
    yield ""


def extremes(cost: TableCost) -> str:
    """The table at its ends, as a sentence."""
    return (
        f"a session that begins with half of an address's ports taken takes {cost.new_half_ns:.0f} ns, "
        f"with 99 of 100 {cost.new_nearly_ns:.0f}; {cost.sessions} sessions are found again in "
        f"{cost.restart_s:.2f} s"
    )


def _helpers(outcome: Outcome) -> Iterator[str]:
    if outcome.helper is not None:
        yield "a packet of a control connection, in engine, helper and core"
        yield from _columns(list(helped.costs(outcome.helper))[1:])
        yield ""
    if outcome.neighbours is not None:
        yield from _columns(list(helped.delays(outcome.neighbours)))
        yield helped.work(outcome.neighbours)
        yield ""


def _instructions(outcome: Outcome) -> Iterator[str]:
    if outcome.counts is None:
        return
    rows = [["instructions a packet", ""]]
    rows += [[TITLES[name], digits(value)] for name, value in outcome.counts.packets.items()]
    yield ""
    yield from _columns(rows)


def _targets(judgements: Sequence[Judgement]) -> Iterator[str]:
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
    for judgement, line in zip(judgements, _columns(rows, left=(0, 1, 3, 4)), strict=True):
        mark = click.style(judgement.mark, fg="green" if judgement.reached else "red")
        yield mark + line.removeprefix(judgement.mark)


def _spread(judgement: Judgement) -> str:
    if judgement.ratio is None:
        return ""
    return f"rounds {digits(judgement.ratio.lowest)} to {digits(judgement.ratio.highest)}"


def _columns(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
