"""The list of the reasons packets are dropped for."""

from typing import TypedDict

from nfmasq.control.paging import Part
from nfmasq.control.question import Question
from nfmasq.control.running import Running
from nfmasq.core.reasons import ROWS, Reason

Drop = TypedDict("Drop", {"reason": str, "class": str, "count": int, "sentence": str})
"""One reason a packet can be dropped for, its class, and how many packets were."""


async def read(running: Running, asked: Question) -> Part:
    """Every reason, those that never happened too."""
    counted = running.table.counters().dropped
    return Part([_drop(row, count) for row, count in zip(ROWS, counted, strict=True)])


def _drop(row: Reason, count: int) -> Drop:
    return {"reason": row.name, "class": row.kind, "count": count, "sentence": row.sentence}
