"""A whole run: the rounds, then what is measured without a network."""

from collections.abc import Callable
from dataclasses import dataclass

from nfmasq.bench.reading import BenchError
from nfmasq.bench.rounds import Plan, run
from perf import instructions, overload
from perf.helpers import HelperCost, helper_cost
from perf.looking import looking
from perf.memory import Memory, TableCost, idle, table_cost
from perf.neighbours import neighbours
from perf.outcome import Outcome

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is measured besides the rounds. tables: of so many sessions each, the largest for the memory;
    daemon: what an idle one holds; instructions: those of a packet; helper: what a line of FTP costs;
    neighbours: so many rounds of what a busy helper makes of other sessions' delay; looking: what it costs to
    follow the surroundings."""

    tables: tuple[int, ...] = ()
    daemon: bool = False
    instructions: bool = False
    helper: bool = False
    neighbours: int = 0
    looking: bool = False


def take(plan: Plan, wanted: Wanted, progress: Progress) -> Outcome:
    """Measure all of it. progress: gets one line before each thing done. Raises what `run` raises."""
    if plan.measures:
        progress(f"{plan.rounds} rounds, about {max(1, plan.about_s / 60):.0f} minutes")
    results = run(plan, progress)
    resident = None
    if wanted.daemon:
        progress("starting a daemon, to see what it holds")
        resident = idle()
    curve = tuple(_tables(wanted, progress))
    memory = Memory(resident, curve[-1] if curve else None)
    outcome = Outcome(
        plan,
        results,
        memory,
        curve=curve,
        notes=tuple(overload.notes(results)),
        helper=_helper(progress) if wanted.helper else None,
        neighbours=neighbours(wanted.neighbours, progress) if wanted.neighbours else None,
        looking=looking(progress) if wanted.looking else None,
    )
    return _counted(outcome, progress) if wanted.instructions else outcome


def _tables(wanted: Wanted, progress: Progress) -> list[TableCost]:
    found = []
    for sessions in sorted(wanted.tables):
        progress(f"filling a table with {sessions:,} sessions")
        found.append(table_cost(sessions))
    return found


def _helper(progress: Progress) -> HelperCost:
    progress("reading control lines, holding control connections")
    return helper_cost()


def _counted(outcome: Outcome, progress: Progress) -> Outcome:
    """With the instructions a packet takes, or the reason why they cannot be counted."""
    progress("counting instructions")
    try:
        return outcome.with_counts(instructions.count())
    except BenchError as error:
        return outcome.with_note(f"instructions: not counted: {error}")
