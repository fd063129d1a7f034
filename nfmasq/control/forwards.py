"""The handlers of /v1/forwards: what is forwarded, more of it, less of it."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from aiohttp import web

from nfmasq._fastpath import MappingRow, Table
from nfmasq.config import ConfigInvalid, added_forward
from nfmasq.config import Forward as Written
from nfmasq.config.protocols import numbers_of
from nfmasq.config.values import described
from nfmasq.control.question import (
    DEFAULT_LIMIT,
    MOST_ROWS,
    RUNNING,
    BadRequest,
    address_of,
    body_of,
    in_json,
    number_of,
    protocol_of,
    require_known,
)
from nfmasq.control.schemas import SCHEMA, Forward
from nfmasq.core.policy import ANY_PROTOCOL
from nfmasq.runtime.forwards import Entry, ForwardRefused, NoSuchForward

MOST_LOOKED_AT = 5_000_000
"""Records of the table that may be gone through to count the sessions of forwards: some 20 ms."""


def add_routes(app: web.Application) -> None:
    """Serve /v1/forwards."""
    app.router.add_get("/v1/forwards", get_forwards)
    app.router.add_post("/v1/forwards", post_forwards)
    app.router.add_delete("/v1/forwards/{id}", delete_forward)


async def get_forwards(request: web.Request) -> web.Response:
    """Forwards in the order they were written and added; `after` is an id here."""
    require_known(request, {"after", "limit", "host", "port", "protocol"})
    limit = number_of(request, "limit", DEFAULT_LIMIT, 1, MOST_ROWS)
    port, protocol = number_of(request, "port", 0, 0, 65535), protocol_of(request)
    entries = [
        entry
        for entry in _after(request.app[RUNNING].forwards(), request.query.get("after"))
        if _matches(entry.forward, address_of(request, "host"), port, protocol)
    ]
    listed = await asyncio.to_thread(_rows, request.app[RUNNING].table, entries[:limit])
    following = listed[-1]["id"] if len(entries) > limit else None
    return in_json({"schema": SCHEMA, "forwards": listed, "next": following})


async def post_forwards(request: web.Request) -> web.Response:
    """Add a forward: the keys of [[forward]], and "persist": true to keep it across restarts.

    400 when it is wrong by itself, 409 when it clashes with another or cannot be kept.
    """
    table = await body_of(request)
    persist = table.pop("persist", False)
    if not isinstance(persist, bool):
        raise BadRequest(f"persist must be true or false, not {described(persist)}")
    try:
        added_forward(table)
    except ConfigInvalid as invalid:
        return _refused(invalid, 400)
    try:
        entry = await request.app[RUNNING].add_forward(table, persist)
    except ConfigInvalid as invalid:
        return _refused(invalid, 409)
    except ForwardRefused as refused:
        return in_json({"schema": SCHEMA, "error": str(refused)}, 409)
    (row,) = await asyncio.to_thread(_rows, request.app[RUNNING].table, [entry])
    about = f"forward {entry.forward.id}: "
    warnings = [line for line in request.app[RUNNING].situation().warnings if line.startswith(about)]
    return in_json({"schema": SCHEMA, **row, "warnings": warnings})


async def delete_forward(request: web.Request) -> web.Response:
    """End a forward that was added; its live sessions go on. 404 for an unknown one, 409 for the file's."""
    require_known(request, set())
    try:
        entry = await request.app[RUNNING].remove_forward(request.match_info["id"])
    except NoSuchForward as unknown:
        return in_json({"schema": SCHEMA, "error": str(unknown)}, 404)
    except ForwardRefused as refused:
        return in_json({"schema": SCHEMA, "error": str(refused)}, 409)
    return in_json({"schema": SCHEMA, "removed": entry.forward.id})


def _refused(invalid: ConfigInvalid, status: int) -> web.Response:
    errors = [{"key": error.key, "reason": error.reason} for error in invalid.errors]
    line = "; ".join(map(str, invalid.errors))
    return in_json({"schema": SCHEMA, "error": line, "errors": errors}, status)


def _after(entries: Sequence[Entry], identity: str | None) -> Sequence[Entry]:
    if identity is None:
        return entries
    for place, entry in enumerate(entries):
        if entry.forward.id == identity:
            return entries[place + 1 :]
    raise BadRequest(f"after must be the id of a forward, not {identity!r}")


def _matches(forward: Written, host: IPv4Address | None, port: int, protocol: int) -> bool:
    """Is it about this host and this port, inside or outside, and does it take this protocol?"""
    ports = [forward.external_port, *(target.ports for target in forward.to)]
    return (
        (host is None or host in {forward.external_address, *(target.address for target in forward.to)})
        and (not port or any(some and some.first <= port <= some.last for some in ports))
        and (protocol < 0 or protocol in numbers_of(forward.protocol) or forward.protocol == "any")
    )


def _rows(table: Table, entries: Sequence[Entry]) -> list[Forward]:
    """The entries as the API shows them, with their sessions if those are counted in a moment."""
    gauges = table.gauges()
    hosts = {target.address for entry in entries if _countable(entry.forward) for target in entry.forward.to}
    quick = len(hosts) * sum(gauges.mappings) <= MOST_LOOKED_AT
    mappings = [row for host in hosts for row in _mappings(table, host)] if quick else []
    return [
        {
            "id": forward.id,
            "source": source,
            "protocol": forward.protocol,
            "external_address": None if forward.external_address is None else str(forward.external_address),
            "external_port": None if forward.external_port is None else str(forward.external_port),
            "to": [str(target) for target in forward.to],
            "sessions": _sessions(forward, mappings) if quick and _countable(forward) else None,
        }
        for forward, source in entries
    ]


def _countable(forward: Written) -> bool:
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


def _sessions(forward: Written, mappings: Iterable[MappingRow]) -> int:
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
