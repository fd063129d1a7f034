"""The list of internal hosts."""

import asyncio
from typing import TypedDict

from nfmasq._fastpath import Table
from nfmasq.control.paging import Part, cut
from nfmasq.control.question import Question
from nfmasq.control.running import Running


class Host(TypedDict):
    """One internal host with a mapping."""

    host: str
    sessions: int
    mappings: int


async def read(running: Running, asked: Question) -> Part:
    """Internal hosts in order of their addresses; `after` is an address."""
    return await asyncio.to_thread(_part, running.table, asked)


def _part(table: Table, asked: Question) -> Part:
    meant = sorted(
        (address, numbers)
        for address, numbers in table.hosts().items()
        if (asked.after is None or address > asked.after) and asked.host in {None, address}
    )
    rows: list[Host] = [
        {"host": str(address), "sessions": sessions, "mappings": mappings}
        for address, (sessions, mappings) in meant[: asked.limit + 1]
    ]
    return cut(rows, asked, "host")
