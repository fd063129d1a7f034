"""Plain columns for lists: one row a line, never wrapped, so that `grep`, `less` and `awk` work on them.

The width of a column is fixed before the first row, since a list may be a million rows long and is printed
as it arrives.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Column(NamedTuple):
    """key: in the row's object; title; width: at least so wide; right: aligned to the right, as numbers."""

    key: str
    title: str
    width: int
    right: bool = False


def heading(columns: Iterable[Column]) -> str:
    """The line above the rows."""
    return _line((column.title, column) for column in columns)


def lines(columns: Iterable[Column], rows: Iterable[dict[str, object]]) -> Iterator[str]:
    """A line for each row."""
    chosen = list(columns)
    for row in rows:
        yield _line((_shown(row[column.key]), column) for column in chosen)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _line(cells: Iterable[tuple[str, Column]]) -> str:
    return "  ".join(
        text.rjust(column.width) if column.right else text.ljust(column.width) for text, column in cells
    ).rstrip()


def si(number: float) -> str:
    """1234567 as "1.23M": three digits are what a glance takes in."""
    for unit in ("", "k", "M", "G", "T"):
        if abs(number) < 1000:
            text = f"{number:.0f}" if unit == "" or number >= 100 else f"{number:.3g}"
            return f"{text}{unit}"
        number /= 1000
    return f"{number:.3g}P"


def span(seconds: int) -> str:
    """Seconds for people: "45s", "4m10s", "2h04m", "3d02h"."""
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d{h:02d}h"
    if hours:
        return f"{hours}h{m:02d}m"
    return f"{minutes}m{s:02d}s" if minutes else f"{s}s"
