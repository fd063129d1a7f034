"""The list of mappings."""

from typing import TypedDict

from nfmasq._fastpath import MappingRow
from nfmasq.config.protocols import protocol_name
from nfmasq.control.paging import Part, in_steps
from nfmasq.control.question import Question
from nfmasq.control.running import Running


class Mapping(TypedDict):
    """One mapping: an internal endpoint, and the external endpoint it appears as."""

    protocol: str
    internal: str
    external: str
    sessions: int
    age_s: int


async def read(running: Running, asked: Question) -> Part:
    """Mappings in order of their index."""
    return await in_steps(running.table.mappings, _mapping, asked)


def _mapping(record: MappingRow) -> Mapping:
    return {
        "protocol": protocol_name(record.protocol),
        "internal": "{}:{}".format(*record.internal),
        "external": "{}:{}".format(*record.external),
        "sessions": record.sessions,
        "age_s": record.age_s,
    }
