"""Numbers as people read them."""

import pytest

from nfmasq.control.readable import si, span


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1234, "1.23k"),
        (56_789, "56.8k"),
        (1_234_567, "1.23M"),
        (12e9, "12G"),
    ],
)
def test_three_digits_and_a_unit(number: float, shown: str) -> None:
    assert si(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59, "59s"), (60, "1m00s"), (3599, "59m59s"), (7440, "2h04m"), (86_400 * 3 + 7200, "3d02h")],
)
def test_the_two_largest_units_of_a_span(seconds: int, shown: str) -> None:
    assert span(seconds) == shown
