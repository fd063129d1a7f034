"""The list of forwards, and the operations that add and remove one."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Required, TypedDict

from aiohttp import web

from nfmasq._fastpath import Table
from nfmasq.config import ConfigInvalid, added_forward
from nfmasq.config import Forward as Written
from nfmasq.config.protocols import numbers_of
from nfmasq.config.values import described
from nfmasq.control.body import body_of
from nfmasq.control.forwarded import sessions_of
from nfmasq.control.operations import operation
from nfmasq.control.paging import Part
from nfmasq.control.question import RUNNING, BadRequest, Question, in_json, require_known
from nfmasq.control.running import Running
from nfmasq.control.schemas import SCHEMA
from nfmasq.runtime.forwards import Entry, ForwardRefused, NoSuchForward


class Forward(TypedDict):
    """One forward: the keys of its table, None meaning all; its id; and its source: config, runtime or kept.

    sessions: those that use the external endpoints of the forward now. None where others look the same,
    or where counting them would take long.
    """

    id: str
    source: str
    protocol: str
    external_address: str | None
    external_port: str | None
    to: list[str]
    sessions: int | None


class NewForward(TypedDict, total=False):
    """The forward to add: the keys of [[forward]] in the configuration. persist: keep it across restarts."""

    protocol: str
    external_address: str
    external_port: str
    to: Required[str | list[str]]
    persist: bool


class AddedForward(Forward):
    """The forward as it was added, and what keeps it from working at the moment."""

    schema: int
    warnings: list[str]


class RemovedForward(TypedDict):
    """The id of the forward that was removed."""

    schema: int
    removed: str


async def read(running: Running, asked: Question) -> Part:
    """Forwards in the order they were written and added; `after` is an id. Raises BadRequest."""
    entries = [
        entry
        for entry in _after(running.forwards.entries, asked.after)
        if _matches(entry.forward, asked.host, asked.port, asked.protocol)
    ]
    rows = await asyncio.to_thread(_rows, running.table, entries[: asked.limit])
    return Part(rows, rows[-1]["id"] if len(entries) > asked.limit else None)


async def post_forwards(request: web.Request) -> web.Response:
    """Add a forward. It is in force when the answer comes."""
    running = request.app[RUNNING]
    table = await body_of(request)
    persist = table.pop("persist", False)
    if not isinstance(persist, bool):
        raise BadRequest(f"persist must be true or false, not {described(persist)}")
    try:
        added_forward(table)
    except ConfigInvalid as invalid:
        return _refused(invalid, 400)
    try:
        entry = await running.forwards.add(table, persist)
    except ConfigInvalid as invalid:
        return _refused(invalid, 409)
    except ForwardRefused as refused:
        return in_json({"schema": SCHEMA, "error": str(refused)}, 409)
    (row,) = await asyncio.to_thread(_rows, running.table, [entry])
    about = f"forward {entry.forward.id}: "
    warnings = [line for line in running.situation().warnings if line.startswith(about)]
    return in_json({"schema": SCHEMA, **row, "warnings": warnings})


async def delete_forward(request: web.Request) -> web.Response:
    """Remove a forward that was added while the daemon runs. Its sessions go on."""
    require_known(request, set())
    try:
        entry = await request.app[RUNNING].forwards.remove(request.match_info["id"])
    except NoSuchForward as unknown:
        return in_json({"schema": SCHEMA, "error": str(unknown)}, 404)
    except ForwardRefused as refused:
        return in_json({"schema": SCHEMA, "error": str(refused)}, 409)
    return in_json({"schema": SCHEMA, "removed": entry.forward.id})


OPERATIONS = (
    operation(
        "POST",
        "/v1/forwards",
        post_forwards,
        AddedForward,
        body=NewForward,
        errors={
            400: "The forward is wrong by itself.",
            409: "It clashes with another forward, or cannot be kept.",
        },
    ),
    operation(
        "DELETE",
        "/v1/forwards/{id}",
        delete_forward,
        RemovedForward,
        errors={404: "No forward has this id.", 409: "The forward is in the configuration."},
    ),
)


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
    """The entries as the API shows them."""
    counted = sessions_of([entry.forward for entry in entries], table)
    return [
        {
            "id": forward.id,
            "source": source,
            "protocol": forward.protocol,
            "external_address": None if forward.external_address is None else str(forward.external_address),
            "external_port": None if forward.external_port is None else str(forward.external_port),
            "to": [str(target) for target in forward.to],
            "sessions": sessions,
        }
        for (forward, source), sessions in zip(entries, counted, strict=True)
    ]
