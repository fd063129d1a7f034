"""The list of the reasons packets are dropped for."""

from typing import TypedDict

from nfmasq.control.paging import Part
from nfmasq.control.question import Question
from nfmasq.control.running import Running
from nfmasq.core.reasons import ROWS, Reason
from nfmasq.diversion import guard_drops

Drop = TypedDict("Drop", {"reason": str, "class": str, "count": int, "sentence": str})
"""One reason a packet can be dropped for, its class, and how many packets were."""


async def read(running: Running, asked: Question) -> Part:
    """Every reason of the core and of the guard, those that never happened too."""
    await running.count_guard_drops()
    guarded = running.situation().guard_drops
    counted = running.table.counters().dropped
    return Part(
        [
            *(_drop(row, count) for row, count in zip(ROWS, counted, strict=True)),
            *(_drop(row, guarded.get(row.name, 0)) for row in guard_drops.ROWS),
        ]
    )


def _drop(row: Reason, count: int) -> Drop:
    return {"reason": row.name, "class": row.kind, "count": count, "sentence": row.sentence}
