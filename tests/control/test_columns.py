"""The cells of a list's columns."""

from nfmasq.control.columns import Column, rounded, seconds


def test_a_cell_is_the_value_under_the_key_or_made_of_the_row() -> None:
    row = {"name": "ftp", "ports": [21, 2121], "helper": None}
    assert Column("name", "NAME", 4).cell(row) == "ftp"
    assert Column("helper", "HELPER", 0).cell(row) is None
    assert Column("ports", "PORTS", 0, shown=lambda each: len(each["ports"])).cell(row) == 2


def test_numbers_and_durations_are_short() -> None:
    row = {"bytes": 1_234_567, "age_s": 7440}
    columns = rounded("bytes", "BYTES", 6), seconds("age_s", "AGE", 6)
    assert [(column.cell(row), column.right) for column in columns] == [("1.23M", True), ("2h04m", True)]
