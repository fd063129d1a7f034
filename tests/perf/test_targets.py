"""What nfmasq must reach beyond the bench's own targets."""

from dataclasses import replace

import pytest

from nfmasq.bench import datagrams, pingpong
from nfmasq.bench.reading import Figure, Reading
from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan
from nfmasq.bench.variants import NFMASQ
from perf import overload
from perf.memory import Memory, TableCost
from perf.outcome import Outcome
from perf.targets import judge
from perf.variants import ALL

PLAN = Plan((), (), rounds=1, seconds=1, workers=1, senders=1)
TABLE = TableCost(
    sessions=1_000_000,
    bytes_per_session=200.1,
    new_few_ns=1,
    new_many_ns=1,
    established_few_ns=1,
    established_many_ns=1,
)


def _results(figure: Figure, **rounds: list[float | None]) -> Results:
    """Results with these readings, by the variant's name with _ for -."""
    variants = [v for v in ALL if v.name.replace("-", "_") in rounds]
    results = Results(tuple(variants), (figure,))
    for variant in variants:
        for value in rounds[variant.name.replace("-", "_")]:
            reading = None if value is None else Reading({figure.name: value}, {"offered": 1000.0})
            results.add((figure,), variant, reading)
    return results


def _marks(results: Results, memory: Memory | None = None) -> dict[tuple[str, str | None], str]:
    found = judge(Outcome(PLAN, results, memory or Memory()))
    return {(one.name, one.against.name if one.against else None): one.mark for one in found}


@pytest.mark.parametrize(("million", "mark"), [(90.0, "ok"), (89.9, "short")])
def test_a_million_sessions_may_cost_a_tenth(million: float, mark: str) -> None:
    marks = _marks(_results(datagrams.MANY_RATE, nfmasq=[100.0], nfmasq_million=[million]))
    assert marks == {("small-packets-many", "nfmasq"): mark}


@pytest.mark.parametrize(("two", "mark"), [(100.0, "ok"), (100.1, "short")])
def test_two_workers_are_not_slower_than_one(two: float, mark: str) -> None:
    marks = _marks(_results(pingpong.MEDIAN, nfmasq_1=[100.0], nfmasq_2=[two]))
    assert marks == {("round-trip", "nfmasq-1"): mark}


@pytest.mark.parametrize(("kept", "mark"), [(0.9, "ok"), (0.89, "short")])
def test_overload_is_held_against_its_peak(kept: float, mark: str) -> None:
    assert _marks(_results(overload.KEPT, nfmasq=[kept])) == {("overload-kept", None): mark}


def test_a_small_table_says_nothing_about_the_bytes_of_a_session() -> None:
    assert not _marks(Results((), ()), Memory(table=replace(TABLE, sessions=1000)))


def test_memory_is_held_against_its_bounds() -> None:
    memory = Memory(idle=60_000_000, table=TABLE)
    marks = {("idle", None): "ok", ("session", None): "short", ("restart", None): "ok"}
    assert _marks(Results((), ()), memory) == marks
    slow = replace(memory, table=replace(TABLE, restart_s=1.1))
    assert _marks(Results((), ()), slow)["restart", None] == "short"


@pytest.mark.parametrize(("most", "noted"), [(2.3, True), (2.5, False)])
def test_it_is_noted_when_the_machine_offered_too_little(most: float, noted: bool) -> None:
    results = _results(overload.KEPT)
    results.variants = (NFMASQ,)
    results.add((overload.KEPT,), NFMASQ, Reading({overload.KEPT.name: 1.0}, {"most offered": most}))
    assert bool(overload.notes(results)) == noted
