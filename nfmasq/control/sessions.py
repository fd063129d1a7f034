"""The list of sessions."""

from collections.abc import Callable, Mapping
from typing import TypedDict

from nfmasq._fastpath import SessionRow
from nfmasq.config.protocols import protocol_name
from nfmasq.control.paging import Part, in_steps
from nfmasq.control.question import BadRequest, Question
from nfmasq.control.running import Running


class Session(TypedDict):
    """One session: the internal host's two endpoints, and the remote endpoint.

    Each endpoint is "address:port", for ICMP queries "address:id", for calls of PPTP
    "address:key".
    """

    protocol: str
    internal: str
    external: str
    remote: str
    state: str
    helper: str | None
    packets_out: int
    packets_in: int
    bytes_out: int
    bytes_in: int
    age_s: int
    expires_s: int


async def read(running: Running, asked: Question) -> Part:
    """Sessions in order of their index. Raises BadRequest for an unknown helper."""
    names = {entry.number: entry.name for entry in running.helpers.entries.values()}
    keep = None if asked.helper is None else _read_by(asked.helper, names)
    return await in_steps(running.table.sessions, lambda record: _session(record, names), asked, keep)


def _read_by(helper: str, names: Mapping[int, str]) -> Callable[[SessionRow], bool]:
    for number, name in names.items():
        if name == helper:
            return lambda record: record.helper == number
    there = ", ".join(sorted(names.values())) or "none"
    raise BadRequest(f"no such helper: {helper!r}; there are: {there}")


def _session(record: SessionRow, helpers: Mapping[int, str]) -> Session:
    """helpers: their names, by number."""
    return {
        "protocol": protocol_name(record.protocol),
        "internal": "{}:{}".format(*record.internal),
        "external": "{}:{}".format(*record.external),
        "remote": "{}:{}".format(*record.remote),
        "state": record.state,
        "helper": helpers.get(record.helper),
        "packets_out": record.packets_out,
        "packets_in": record.packets_in,
        "bytes_out": record.bytes_out,
        "bytes_in": record.bytes_in,
        "age_s": record.age_s,
        "expires_s": record.expires_s,
    }
