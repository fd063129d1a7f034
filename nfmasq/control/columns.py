"""The columns of a list: what a person sees of a row, in a terminal and on the page.

A row is an object of the control API. Importing this module costs next to nothing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from nfmasq.control.readable import si, span

Row = dict[str, Any]


class Column(NamedTuple):
    """key: in the row's object; title; width: at least so wide, in characters; right: aligned to the right.

    shown: makes the cell from the whole row. None: the value under the key is the cell.
    """

    key: str
    title: str
    width: int
    right: bool = False
    shown: Callable[[Row], object] | None = None

    def cell(self, row: Row) -> object:
        """The row's value in this column, None for none."""
        return row[self.key] if self.shown is None else self.shown(row)


def rounded(key: str, title: str, width: int) -> Column:
    """A column of large numbers: three digits and a unit."""
    return Column(key, title, width, True, lambda row: si(row[key]))


def seconds(key: str, title: str, width: int) -> Column:
    """A column of durations: their two largest units."""
    return Column(key, title, width, True, lambda row: span(row[key]))
