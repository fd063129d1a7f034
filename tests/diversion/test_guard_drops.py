"""The sum of what rules and program dropped, over what is laid anew."""

from nfmasq.diversion.guard_drops import ROWS, GuardDrops


def _counted(drops: GuardDrops) -> dict[str, int]:
    return {reason: count for reason, count in drops.totals().items() if count}


def test_rules_and_program_are_summed_and_every_reason_is_there() -> None:
    drops = GuardDrops()
    assert drops.totals() == dict.fromkeys((row.name for row in ROWS), 0)
    drops.take("rules", {"external": 2, "elsewhere": 1, "quoted": 0, "spoofed": 4})
    drops.take("program", {"external": 3, "quoted": 5, "own_answer": 6, "returned": 7})
    assert drops.totals() == {
        "guard_source": 5,
        "guard_elsewhere": 1,
        "guard_quote": 5,
        "guard_own_answer": 6,
        "guard_spoofed": 4,
        "guard_returned": 7,
    }


def test_a_count_that_begins_anew_loses_nothing_and_counts_nothing_twice() -> None:
    drops = GuardDrops()
    for count, total in ((3, 3), (3, 3), (0, 3), (2, 5), (7, 10), (1, 11)):
        drops.take("rules", {"external": count})
        assert _counted(drops) == {"guard_source": total}


def test_a_source_that_is_said_to_begin_anew_may_count_more_than_before() -> None:
    drops = GuardDrops()
    drops.take("rules", {"external": 3, "quoted": 1})
    drops.take("program", {"external": 10})
    drops.begin_anew("rules")
    assert _counted(drops) == {"guard_source": 13, "guard_quote": 1}
    drops.take("rules", {"external": 5, "quoted": 1})
    assert _counted(drops) == {"guard_source": 18, "guard_quote": 2}


def test_without_a_guard_to_read_the_sum_stays() -> None:
    drops = GuardDrops()
    drops.take("rules", {"external": 3})
    drops.take("rules", {})
    assert _counted(drops) == {"guard_source": 3}
