"""The run itself, with measures that take no time."""

import pytest

from nfmasq.bench.bed import Bed
from nfmasq.bench.measures import Measure
from nfmasq.bench.reading import BenchError, Figure, Reading
from nfmasq.bench.rounds import Plan, run
from nfmasq.bench.variants import FLOOR, MASQUERADE, PLAIN

FIGURE = Figure("figure", "a figure", "/s")

pytestmark = pytest.mark.root


def test_rounds_are_interleaved_and_begin_with_another_variant_each() -> None:
    taken: list[tuple[str, str]] = []

    def measure(name: str) -> Measure:
        def take(bed: Bed, _seconds: float) -> Reading:
            taken.append((name, bed.variant.name))
            return Reading({FIGURE.name: 1.0})

        return Measure(name, (FIGURE,), take)

    plan = Plan((PLAIN, MASQUERADE), (measure("one"), measure("two")), 2, 0.5, workers=1, senders=1)
    run(plan, lambda _: None)
    assert taken == [
        *(("one", "plain"), ("one", "masquerade"), ("two", "plain"), ("two", "masquerade")),
        *(("one", "masquerade"), ("one", "plain"), ("two", "masquerade"), ("two", "plain")),
    ]


def test_a_measurement_that_fails_leaves_a_gap_and_a_line() -> None:
    tried = []

    def take(_bed: Bed, _seconds: float) -> Reading:
        tried.append(1)
        if len(tried) == 1:
            raise BenchError("it rained")
        return Reading({FIGURE.name: 2.0})

    plan = Plan((FLOOR,), (Measure("one", (FIGURE,), take),), 2, 0.5, workers=1, senders=1)
    results = run(plan, lambda _: None)
    assert results.rounds(FIGURE, FLOOR) == [None, 2.0]
    assert results.failures == ["a figure, floor: it rained"]
    assert results.counted["floor"]["packets"] == 2, "the question who the server sees, and its answer"
