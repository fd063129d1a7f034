"""Text in columns: titles and values, rows of a list."""

import pytest

from nfmasq.cli.columns import heading, lines, titled
from nfmasq.control.columns import Column, rounded, seconds


@pytest.mark.parametrize("long", ["queues 100-1150", "q" * 40])
def test_a_title_of_any_length_stands_apart_from_its_value(long: str) -> None:
    first, second, third = titled([("state", "ok"), (long, "7 packets"), ("", "! a problem")])
    assert second == f"{long}  7 packets"
    assert first.index("ok") == second.index("7 packets") == third.index("! a problem")


def test_a_value_wider_than_its_column_stands_apart_from_the_next() -> None:
    columns = (Column("name", "NAME", 4), Column("count", "N", 3, right=True), Column("why", "WHY", 0))
    assert heading(columns) == "NAME    N  WHY"
    (line,) = lines(columns, [{"name": "overlong", "count": 123456, "why": None}])
    assert line == "overlong  123456  -"


def test_numbers_and_durations_are_short() -> None:
    columns = (rounded("bytes", "BYTES", 6), seconds("age_s", "AGE", 6))
    assert list(lines(columns, [{"bytes": 1_234_567, "age_s": 7440}])) == [" 1.23M   2h04m"]
