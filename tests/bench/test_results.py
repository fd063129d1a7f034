"""The arithmetic: medians, ratios, marks."""

import pytest

from nfmasq.bench import bulk, datagrams, pingpong
from nfmasq.bench.reading import Figure, Reading
from nfmasq.bench.results import Results, ratio
from nfmasq.bench.rounds import rotated
from nfmasq.bench.targets import Judgement, judge
from nfmasq.bench.variants import (
    FLOOR,
    MASQUERADE,
    NFMASQ,
    PLAIN,
    REWRITING_FLOOR,
    SCAPY,
    VARIANTS,
    Variant,
)


def _results(figure: Figure, **rounds: list[float | None]) -> Results:
    """Results with these readings, by the variant's name with _ for -."""
    variants = [v for v in VARIANTS if v.name.replace("-", "_") in rounds]
    results = Results(tuple(variants), (figure,))
    for variant in variants:
        for value in rounds[variant.name.replace("-", "_")]:
            reading = None if value is None else Reading({figure.name: value}, {"offered": 1000.0})
            results.add((figure,), variant, reading)
    return results


def _marks(results: Results) -> dict[tuple[str, str | None], str]:
    found = judge(results)
    return {(one.name, one.against.name if one.against else None): one.mark for one in found}


def test_a_figure_is_the_median_of_its_rounds() -> None:
    results = _results(datagrams.RATE, floor=[9.0, 1.0, 5.0], nfmasq=[1.0, 2.0])
    assert results.median(datagrams.RATE, FLOOR) == 5.0
    assert results.median(datagrams.RATE, NFMASQ) == 1.5


def test_a_failed_round_is_left_out_of_the_median_and_kept_in_the_list() -> None:
    results = _results(datagrams.RATE, floor=[None, 4.0, 6.0])
    assert results.median(datagrams.RATE, FLOOR) == 5.0
    assert results.rounds(datagrams.RATE, FLOOR) == [None, 4.0, 6.0]


def test_a_variant_that_never_had_the_figure_has_no_median() -> None:
    results = _results(datagrams.RATE, plain=[None])
    assert results.median(datagrams.RATE, PLAIN) is None
    assert results.median(datagrams.TIME, PLAIN) is None


def test_the_ratio_is_that_of_the_medians_and_its_spread_that_of_the_rounds() -> None:
    found = ratio([80.0, 90.0, 50.0], [100.0, 100.0, 200.0])
    assert found is not None
    assert (found.value, found.lowest, found.highest) == (0.8, 0.25, 0.9)


def test_only_rounds_in_which_both_were_read_are_compared() -> None:
    found = ratio([None, 90.0, 50.0], [100.0, 100.0, None])
    assert found is not None
    assert found.value == found.lowest == found.highest == 0.9


@pytest.mark.parametrize("theirs", [[None], [0.0]])
def test_there_is_no_ratio_to_nothing(theirs: list[float | None]) -> None:
    assert ratio([1.0], theirs) is None


def test_there_is_no_ratio_to_a_variant_that_was_not_measured() -> None:
    results = _results(datagrams.RATE, nfmasq=[1.0])
    assert results.ratio(datagrams.RATE, FLOOR) is None
    assert not _marks(results)


@pytest.mark.parametrize(("ours", "mark"), [(95.0, "ok"), (94.9, "short"), (200.0, "ok")])
def test_a_rate_must_be_at_least_its_part_of_the_other(ours: float, mark: str) -> None:
    assert _marks(_results(datagrams.RATE, floor=[100.0], nfmasq=[ours])) == {
        ("small-packets", "floor"): mark
    }


@pytest.mark.parametrize(("ours", "mark"), [(110.0, "ok"), (110.1, "short"), (50.0, "ok")])
def test_a_time_must_be_at_most_its_multiple_of_the_other(ours: float, mark: str) -> None:
    assert _marks(_results(pingpong.MEDIAN, floor=[100.0], nfmasq=[ours])) == {("round-trip", "floor"): mark}


def test_bulk_is_held_against_the_rewriting_floor_and_the_kernel() -> None:
    results = _results(bulk.DOWN, masquerade=[100.0], floor=[1.0], rewriting_floor=[46.0], nfmasq=[44.0])
    assert _marks(results) == {("bulk-down", "rewriting-floor"): "ok", ("bulk-down", "masquerade"): "short"}


def test_a_variant_that_could_not_be_had_is_noted_with_its_reason() -> None:
    results = Results((SCAPY,), ())
    results.skipped["scapy"] = "scapy not found"
    assert results.notes() == ["scapy: left out: scapy not found"]


def test_what_fails_in_every_round_is_noted_once() -> None:
    results = Results((SCAPY,), (datagrams.RATE,))
    for _ in range(3):
        results.fail((datagrams.RATE,), SCAPY, "it lost its way")
    assert results.notes() == ["small packets, scapy: it lost its way"]


def test_what_was_not_measured_is_not_judged() -> None:
    assert not _marks(_results(datagrams.RATE, floor=[1.0], nfmasq=[None]))


def test_to_be_on_the_bound_is_to_reach_it() -> None:
    assert Judgement("x", "x", MASQUERADE, value=0.7, bound=0.7, more_is_better=True).reached
    assert Judgement("x", "x", REWRITING_FLOOR, value=1.3, bound=1.3).reached


def test_it_is_noted_when_the_senders_set_the_pace() -> None:
    noted = _results(datagrams.RATE, plain=[1000.0], floor=[980.0], nfmasq=[979.0]).notes()
    assert [note.partition(":")[0] for note in noted] == ["floor"]


def test_every_variant_comes_first_once_in_as_many_rounds() -> None:
    orders: list[list[Variant]] = [rotated(VARIANTS, number) for number in range(len(VARIANTS))]
    assert {order[0] for order in orders} == set(VARIANTS)
    assert all(set(order) == set(VARIANTS) and len(order) == len(VARIANTS) for order in orders)
