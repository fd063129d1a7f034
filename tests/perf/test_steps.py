"""Steps of the interpreter are counted alike each time, and with all that a call calls."""

from perf.steps import counted


def sums(most: int) -> int:
    """A loop that calls."""
    return sum(one(each) for each in range(most))


def one(each: int) -> int:
    """Called by it."""
    return each


def test_twice_as_much_takes_twice_the_steps() -> None:
    few, many, more = (counted(sums, most)[1] for most in (100, 200, 400))
    assert more - many == 2 * (many - few)
    assert counted(sums, 100) == (4950, few)
