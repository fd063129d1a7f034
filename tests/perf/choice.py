"""From what was asked for on the command line to what is measured."""

from dataclasses import dataclass
from pathlib import Path

from nfmasq.bench.choice import QUICK_ROUNDS, QUICK_SECONDS, ROUNDS, SECONDS
from nfmasq.bench.rounds import Plan
from nfmasq.bench.variants import SCAPY
from perf import neighbours
from perf.measures import ALL as MEASURES
from perf.measures import EXTRA as EXTRA_MEASURES
from perf.memory import SESSIONS
from perf.variants import ALL as VARIANTS
from perf.variants import EXTRA as EXTRA_VARIANTS
from perf.whole import Wanted

PLACE = Path(__file__).parents[2] / "docs/performance.md"
"""Where a report goes."""

MEMORY, INSTRUCTIONS, HELPERS, LOOKING = "memory", "instructions", "helpers", "looking"

_TAKEN = {MEMORY, INSTRUCTIONS, HELPERS, LOOKING, *(measure.name for measure in MEASURES)}
_WAYS = {variant.name for variant in VARIANTS}
_EXTRA = {
    LOOKING,
    *(measure.name for measure in EXTRA_MEASURES),
    *(variant.name for variant in EXTRA_VARIANTS),
}

NAMES = [
    *(measure.name for measure in MEASURES),
    MEMORY,
    INSTRUCTIONS,
    HELPERS,
    LOOKING,
    *(variant.name for variant in VARIANTS),
]
"""All that can be asked for by its name, in the order in which it is shown."""

REPORT_SECONDS = 2.0

SIZES = (1_000, 10_000, 100_000, SESSIONS)
QUICK_SIZES = (1_000, 100_000)
"""Sessions in the tables of a report."""


@dataclass(frozen=True)
class Choice:
    """report: everything is wanted; quick: the short form; core: only what needs no network.

    only: names; those of a kind exclude the others of that kind. rounds, seconds: None: those of the form.
    """

    report: bool
    quick: bool
    core: bool
    only: frozenset[str]
    rounds: int | None
    seconds: float | None
    senders: int

    def wants(self, name: str) -> bool:
        """Is it named, or nothing of its kind, and then no extra or everything is wanted?"""
        kind = _WAYS if name in _WAYS else _TAKEN
        return name in self.only or (not self.only & kind and (self.report or name not in _EXTRA))


def choose(choice: Choice, workers: int, *, with_scapy: bool) -> tuple[Plan, Wanted]:
    """What is measured."""
    rounds = choice.rounds or (QUICK_ROUNDS if choice.quick else ROUNDS)
    usual = REPORT_SECONDS if choice.report else SECONDS
    seconds = choice.seconds or (QUICK_SECONDS if choice.quick else usual)
    sizes = (QUICK_SIZES if choice.quick else SIZES) if choice.report else (SESSIONS,)
    several = neighbours.QUICK_ROUNDS if choice.quick else neighbours.ROUNDS
    wanted = Wanted(
        tables=sizes if choice.core or choice.wants(MEMORY) else (),
        daemon=not choice.core and choice.wants(MEMORY),
        instructions=choice.core or choice.wants(INSTRUCTIONS),
        helper=choice.core or choice.wants(HELPERS),
        neighbours=several if choice.wants(HELPERS) and not choice.core else 0,
        looking=not choice.core and choice.wants(LOOKING),
    )
    if choice.core:
        return Plan((), (), rounds, seconds, workers, choice.senders), wanted
    variants = (variant for variant in VARIANTS if choice.wants(variant.name))
    return Plan(
        tuple(variant for variant in variants if with_scapy or variant is not SCAPY),
        tuple(measure for measure in MEASURES if choice.wants(measure.name)),
        rounds,
        seconds,
        workers,
        choice.senders,
    ), wanted
