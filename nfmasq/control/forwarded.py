"""Counts the sessions of forwards: those on mappings that use what a forward claims."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from nfmasq._fastpath import MappingRow, Table
from nfmasq.config import Forward
from nfmasq.config.protocols import numbers_of
from nfmasq.core.policy import ANY_PROTOCOL

MOST_LOOKED_AT = 5_000_000
"""Records of the table that may be read to count the sessions of forwards: some 20 ms."""


def sessions_of(forwards: Sequence[Forward], table: Table) -> list[int | None]:
    """The sessions of each forward; None where others look the same, or counting takes long."""
    hosts = {target.address for forward in forwards if _countable(forward) for target in forward.to}
    if len(hosts) * sum(table.gauges().mappings) > MOST_LOOKED_AT:
        return [None] * len(forwards)
    mappings = [row for host in hosts for row in _mappings(table, host)]
    return [_sessions(forward, mappings) if _countable(forward) else None for forward in forwards]


def _countable(forward: Forward) -> bool:
    """A default host's own sessions look like those that were led to it."""
    return forward.external_port is not None or forward.external_address is not None


def _mappings(table: Table, host: IPv4Address) -> Iterator[MappingRow]:
    after, step = 0, 1000
    while True:
        found = table.mappings(after, step, host)
        yield from (row for row in found if row.internal[0] == host)
        if len(found) < step:
            return
        after = found[-1].number


def _sessions(forward: Forward, mappings: Iterable[MappingRow]) -> int:
    """Of these mappings, the sessions of those that stand on what the forward claims."""
    hosts = {target.address for target in forward.to}
    protocols, ports = numbers_of(forward.protocol), forward.external_port
    return sum(
        row.sessions
        for row in mappings
        if row.internal[0] in hosts
        and (row.protocol in protocols or protocols == (ANY_PROTOCOL,))
        and forward.external_address in {None, row.external[0]}
        and (ports is None or ports.first <= row.external[1] <= ports.last)
    )
