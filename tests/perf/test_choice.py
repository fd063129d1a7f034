"""What is measured, by what was asked for."""

from dataclasses import replace

import pytest

from nfmasq.bench.measures import MEASURES
from nfmasq.bench.variants import NFMASQ, SCAPY, VARIANTS
from perf.choice import HELPERS, INSTRUCTIONS, LOOKING, MEMORY, QUICK_SIZES, SIZES, Choice, choose
from perf.measures import EXTRA as EXTRA_MEASURES
from perf.neighbours import ROUNDS
from perf.variants import EXTRA
from perf.whole import Wanted

PLAIN = Choice(report=False, quick=False, core=False, only=frozenset(), rounds=None, seconds=None, senders=2)


def test_without_a_word_it_is_all_but_the_extras() -> None:
    plan, wanted = choose(PLAIN, 1, with_scapy=True)
    assert (plan.variants, plan.measures) == (VARIANTS, MEASURES)
    assert (plan.rounds, plan.seconds) == (5, 3)
    assert wanted == Wanted((1_000_000,), daemon=True, instructions=True, helper=True, neighbours=ROUNDS)


def test_a_report_is_of_everything() -> None:
    plan, wanted = choose(replace(PLAIN, report=True), 1, with_scapy=True)
    assert set(plan.variants) == {*VARIANTS, *EXTRA}
    assert set(plan.measures) == {*MEASURES, *EXTRA_MEASURES}
    assert wanted.tables == SIZES
    assert wanted.looking


def test_the_short_form_is_short() -> None:
    plan, wanted = choose(replace(PLAIN, report=True, quick=True), 1, with_scapy=True)
    assert (plan.rounds, plan.seconds) == (1, 0.5)
    assert wanted.tables == QUICK_SIZES


def test_what_is_said_outright_counts_more_than_the_form() -> None:
    plan, _ = choose(replace(PLAIN, quick=True, rounds=7, seconds=9), 1, with_scapy=True)
    assert (plan.rounds, plan.seconds) == (7, 9)


@pytest.mark.parametrize("report", [False, True])
def test_a_name_excludes_its_like_and_nothing_else(report: bool) -> None:
    some = replace(PLAIN, report=report, only=frozenset({"nfmasq", "overload"}))
    plan, wanted = choose(some, 1, with_scapy=True)
    assert plan.variants == (NFMASQ,)
    assert [measure.name for measure in plan.measures] == ["overload"]
    assert wanted == Wanted()


def test_the_core_needs_no_network() -> None:
    plan, wanted = choose(replace(PLAIN, core=True), 1, with_scapy=True)
    assert (plan.variants, plan.measures) == ((), ())
    assert wanted == Wanted((1_000_000,), daemon=False, instructions=True, helper=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (MEMORY, Wanted((1_000_000,), daemon=True)),
        (INSTRUCTIONS, Wanted(instructions=True)),
        (LOOKING, Wanted(looking=True)),
        (HELPERS, Wanted(helper=True, neighbours=ROUNDS)),
    ],
)
def test_what_is_measured_beside_the_rounds_is_chosen_by_name_too(name: str, expected: Wanted) -> None:
    plan, wanted = choose(replace(PLAIN, only=frozenset({name})), 1, with_scapy=True)
    assert (plan.measures, wanted) == ((), expected)


def test_without_scapy_its_loop_is_left_out() -> None:
    assert SCAPY not in choose(PLAIN, 1, with_scapy=False)[0].variants
