"""Long lists of the table, read in steps.

Each step holds the table for STEP records and runs in a thread of the pool. So neither the event loop nor the
packets wait for a dump of a million sessions.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nfmasq.control.question import Question

STEP = 1000
"""Records read under one hold of the table."""

Read = Callable[..., Sequence[Any]]


class Part(NamedTuple):
    """Rows of a list as the API shows them, and the `after` that gives those behind them; None at the end."""

    rows: list[Any]
    following: int | str | None = None


class _Step(NamedTuple):
    rows: list[Any]
    last: int
    more: bool


async def in_steps(
    read: Read, shown: Callable[[Any], Any], asked: Question, keep: Callable[[Any], bool] | None = None
) -> Part:
    """The part that is asked for. read: `Table.sessions` or the like; shown: makes the API's row of a record.

    keep: chooses among the records that `read` gives; None: all of them.
    """
    rows: list[Any] = []
    after, wanted = asked.after or 0, asked.limit
    while wanted > 0:
        size = STEP if keep else min(STEP, wanted)
        step = await asyncio.to_thread(_step, read, shown, asked, keep, (after, size, wanted))
        rows += step.rows
        wanted -= len(step.rows)
        after = step.last
        if not step.more:
            return Part(rows)
    return Part(rows, after)


def _step(
    read: Read,
    shown: Callable[[Any], Any],
    asked: Question,
    keep: Callable[[Any], bool] | None,
    place: tuple[int, int, int],
) -> _Step:
    """place: where to begin, how many records to look at, how many rows are wanted at most."""
    after, size, wanted = place
    found = read(after, size, asked.host, asked.port, asked.protocol)
    meant = [record for record in found if keep is None or keep(record)]
    more = len(found) == size or len(meant) > wanted
    looked_at = meant[:wanted] if len(meant) > wanted else found
    last = looked_at[-1].number if looked_at else after
    return _Step([shown(record) for record in meant[:wanted]], last, more)


def cut(rows: Sequence[Any], asked: Question, key: str) -> Part:
    """The first rows of the remaining ones, up to the limit; the value under `key` continues the list."""
    shown = list(rows[: asked.limit])
    return Part(shown, shown[-1][key] if len(rows) > asked.limit else None)
