"""Text in columns: the rows of a list, and titles with their values.

A list is one row a line, never wrapped, so that `grep`, `less` and `awk` work on it. The width of its columns
is fixed before the first row: a list may be a million rows long and is printed as it arrives.
"""

from collections.abc import Iterable, Iterator

from nfmasq.control.columns import Column, Row

_BETWEEN = "  "


def heading(columns: Iterable[Column]) -> str:
    """The line above the rows."""
    return _line((column.title, column) for column in columns)


def lines(columns: Iterable[Column], rows: Iterable[Row]) -> Iterator[str]:
    """A line for each row."""
    chosen = list(columns)
    for row in rows:
        yield _line((_shown(column.cell(row)), column) for column in chosen)


def titled(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each title and its value, the values below one another however long a title is."""
    known = list(pairs)
    width = max((len(title) for title, _ in known), default=0)
    for title, value in known:
        yield f"{title:<{width}}{_BETWEEN}{value}".rstrip()


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _line(cells: Iterable[tuple[str, Column]]) -> str:
    return _BETWEEN.join(
        text.rjust(column.width) if column.right else text.ljust(column.width) for text, column in cells
    ).rstrip()
