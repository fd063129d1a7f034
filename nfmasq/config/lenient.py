"""Looks into a document that may be wrong anywhere: values that are wrong by themselves are passed over.

Such a value has its own error already; its clashes are found once it is corrected.
"""

from collections.abc import Callable
from typing import Any, TypeVar

Document = dict[str, Any]
Kind = TypeVar("Kind")


def good(parse: Callable[[Any], Kind], value: Any) -> Kind | None:
    """What `parse` makes of a value; None if it is not good."""
    try:
        return parse(value)
    except ValueError:
        return None


def good_items(parse: Callable[[Any], Kind], items: list[Any]) -> list[tuple[int, Kind]]:
    """The items that are good by themselves, each with its place in the list."""
    return [(place, value) for place, item in enumerate(items) if (value := good(parse, item)) is not None]


def as_table(value: Any) -> Document:
    """A table, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A list, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []
