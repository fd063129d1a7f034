"""All that one run of the bench found, as the ways of showing it take it."""

from dataclasses import dataclass, replace

from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan
from perf.helpers import HelperCost
from perf.instructions import Counts
from perf.looking import Looking
from perf.memory import Memory, TableCost
from perf.neighbours import Neighbours


@dataclass(frozen=True)
class Outcome:
    """What was planned and what came out. curve: tables of several sizes, the smallest first.

    notes: what could not be had outside the rounds, and why.
    """

    plan: Plan
    results: Results
    memory: Memory
    counts: Counts | None = None
    curve: tuple[TableCost, ...] = ()
    notes: tuple[str, ...] = ()
    helper: HelperCost | None = None
    neighbours: Neighbours | None = None
    looking: Looking | None = None

    def with_counts(self, counts: Counts) -> "Outcome":
        """The same, and these instructions."""
        return replace(self, counts=counts)

    def with_note(self, note: str) -> "Outcome":
        """The same, and this note."""
        return replace(self, notes=(*self.notes, note))
