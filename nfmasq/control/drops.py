"""The list of the reasons packets are dropped for."""

from typing import TypedDict

from nfmasq._fastpath import REASONS
from nfmasq.control.paging import Part
from nfmasq.control.question import Question
from nfmasq.control.running import Running
from nfmasq.core.reasons import SENTENCES


class Drop(TypedDict):
    """One reason a packet can be dropped for, and how many packets were."""

    reason: str
    count: int
    sentence: str


async def read(running: Running, asked: Question) -> Part:
    """Every reason, those that never happened too."""
    counted = running.table.counters().dropped
    return Part([_drop(reason, count) for reason, count in zip(REASONS, counted, strict=True)])


def _drop(reason: str, count: int) -> Drop:
    return {"reason": reason, "count": count, "sentence": SENTENCES[reason]}
