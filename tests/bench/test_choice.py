"""What is measured, by what was asked for."""

from dataclasses import replace

from nfmasq.bench.choice import Choice, choose
from nfmasq.bench.measures import MEASURES
from nfmasq.bench.variants import FLOOR, NFMASQ, SCAPY, VARIANTS

PLAIN = Choice(quick=False, only=frozenset(), rounds=None, seconds=None, senders=2)


def test_without_a_word_it_is_everything() -> None:
    plan = choose(PLAIN, 1, with_scapy=True)
    assert (plan.variants, plan.measures) == (VARIANTS, MEASURES)
    assert (plan.rounds, plan.seconds, plan.workers, plan.senders) == (5, 3, 1, 2)


def test_the_short_form_is_short_unless_told_otherwise() -> None:
    short = choose(replace(PLAIN, quick=True), 1, with_scapy=True)
    assert (short.rounds, short.seconds) == (1, 0.5)
    told = choose(replace(PLAIN, quick=True, rounds=7, seconds=9), 1, with_scapy=True)
    assert (told.rounds, told.seconds) == (7, 9)


def test_a_name_excludes_its_like_and_nothing_else() -> None:
    plan = choose(replace(PLAIN, only=frozenset({"nfmasq", "floor"})), 1, with_scapy=True)
    assert (plan.variants, plan.measures) == ((FLOOR, NFMASQ), MEASURES)
    plan = choose(replace(PLAIN, only=frozenset({"round-trip"})), 1, with_scapy=True)
    assert (plan.variants, [each.name for each in plan.measures]) == (VARIANTS, ["round-trip"])


def test_without_scapy_its_loop_is_left_out() -> None:
    assert SCAPY not in choose(PLAIN, 1, with_scapy=False).variants
