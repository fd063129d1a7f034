"""The run: all beds side by side, every round through all measures, every measure through all variants."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from nfmasq.bench import pingpong
from nfmasq.bench.bed import Bed
from nfmasq.bench.measures import Measure
from nfmasq.bench.reading import BenchError, Reading
from nfmasq.bench.results import Results
from nfmasq.bench.variants import Variant

AROUND_S = 0.8
"""Starting and ending the programs of one measurement takes about so long."""


@dataclass(frozen=True)
class Plan:
    """What to measure. seconds: of each measurement; workers: of each queue program that can have
    several; senders: processes that send small packets."""

    variants: tuple[Variant, ...]
    measures: tuple[Measure, ...]
    rounds: int
    seconds: float
    workers: int
    senders: int

    @property
    def about_s(self) -> float:
        """How long it will take, roughly."""
        one_round = (
            measure.lasts * self.seconds + AROUND_S
            for measure in self.measures
            for variant in self.variants
            if measure.fits(variant)
        )
        return self.rounds * sum(one_round)


def rotated(variants: Sequence[Variant], number: int) -> list[Variant]:
    """The variants in a circle, beginning with another one for each number."""
    first = number % len(variants) if variants else 0
    return [*variants[first:], *variants[:first]]


def run(plan: Plan, progress: Callable[[str], None]) -> Results:
    """Measure. progress: gets one line before each thing done.

    Raises BenchError when a bed cannot be set up or does not do what its variant says. A bed of an optional
    variant is left out instead, and the results say why.
    """
    results = Results(plan.variants, tuple(figure for measure in plan.measures for figure in measure.figures))
    begin = time.monotonic()
    with ExitStack() as stack:
        beds = {}
        for variant in plan.variants if plan.measures else ():
            progress(f"making the bed for {variant.title}")
            try:
                beds[variant] = _made(Bed(variant, plan.workers, plan.senders), stack)
            except (BenchError, RuntimeError) as error:
                if not variant.optional:
                    raise
                results.skipped[variant.name] = str(error)
        for number in range(plan.rounds):
            for measure in plan.measures:
                for variant in rotated([each for each in beds if measure.fits(each)], number):
                    left = max(0.0, plan.about_s - (time.monotonic() - begin))
                    progress(
                        f"round {number + 1} of {plan.rounds}: {measure.figures[0].title}, {variant.title}"
                        f" (about {left:.0f} s left)"
                    )
                    reading = _take(measure, beds[variant], plan.seconds, results)
                    results.add(measure.figures, variant, reading)
        for variant, bed in beds.items():
            counted = bed.finish()
            if counted:
                results.counted[variant.name] = counted
    return results


def _made(bed: Bed, stack: ExitStack) -> Bed:
    """Make a bed, which ends with the stack, and see that it does what its variant says."""
    with ExitStack() as own:
        own.enter_context(bed)
        pingpong.prove(bed)
        stack.enter_context(own.pop_all())
    return bed


def _take(measure: Measure, bed: Bed, seconds: float, results: Results) -> Reading | None:
    """One reading, or None and the reason among the failures."""
    try:
        return measure.take(bed, seconds)
    except (BenchError, OSError, RuntimeError) as error:
        results.fail(measure.figures, bed.variant, str(error))
        return None
