"""What came out, for a terminal."""

from collections.abc import Iterator
from pathlib import Path

from nfmasq.bench.reading import digits
from nfmasq.bench.tables import columns, figures, notes, targets
from perf import helped, looking
from perf.instructions import TITLES
from perf.memory import Memory, TableCost
from perf.outcome import Outcome
from perf.targets import judge


def as_text(outcome: Outcome) -> Iterator[str]:
    """All of it."""
    yield from figures(outcome.plan, outcome.results)
    yield from _memory(outcome.memory)
    yield from _helpers(outcome)
    if outcome.looking is not None:
        yield from columns(list(looking.rows(outcome.looking)))
        yield ""
    yield from targets(list(judge(outcome)))
    yield from _instructions(outcome)
    yield from notes([*outcome.results.notes(), *outcome.notes])


def in_short(outcome: Outcome, report: Path) -> Iterator[str]:
    """The targets, where everything else is in the report."""
    yield from targets(list(judge(outcome)))
    yield f"all of it: {report}"


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
        f"with 99 of 100 {cost.new_nearly_ns:.0f}; {cost.sessions} sessions are recovered in "
        f"{cost.restart_s:.2f} s"
    )


def _helpers(outcome: Outcome) -> Iterator[str]:
    if outcome.helper is not None:
        yield "a packet of a control connection, in engine, helper and core"
        yield from columns(list(helped.costs(outcome.helper))[1:])
        yield ""
    if outcome.neighbours is not None:
        yield from columns(list(helped.delays(outcome.neighbours)))
        yield helped.work(outcome.neighbours)
        yield ""


def _instructions(outcome: Outcome) -> Iterator[str]:
    if outcome.counts is None:
        return
    rows = [["instructions a packet", ""]]
    rows += [[TITLES[name], digits(value)] for name, value in outcome.counts.packets.items()]
    yield ""
    yield from columns(rows)
