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
