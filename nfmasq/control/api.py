"""The handlers of the control API (HTTP/1.1 and JSON on the unix socket).

Long lists are read in steps, each in a thread of the pool, so that neither the event loop nor the packets
wait for a dump of a million sessions.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Mapping as MappingOf
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from aiohttp import web

from nfmasq._fastpath import Table
from nfmasq.control import forwards, helpers, report, rows
from nfmasq.control.question import (
    DEFAULT_LIMIT,
    MOST_ROWS,
    RUNNING,
    BadRequest,
    Filters,
    address_of,
    as_address,
    body_of,
    filters_of,
    in_json,
    number_of,
    require_known,
)
from nfmasq.control.schemas import SCHEMA, Host, Running

STEP = 1000
"""Rows read under one hold of the table."""

log = logging.getLogger("nfmasq")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(running: Running) -> web.Application:
    """The control API of a running daemon."""
    app = web.Application(middlewares=[_errors_as_json])
    app[RUNNING] = running
    app.router.add_get("/v1/status", get_status)
    app.router.add_get("/v1/sessions", get_sessions)
    app.router.add_get("/v1/mappings", get_mappings)
    app.router.add_get("/v1/hosts", get_hosts)
    app.router.add_get("/v1/drops", get_drops)
    app.router.add_post("/v1/flush", post_flush)
    app.router.add_post("/v1/reload", post_reload)
    forwards.add_routes(app)
    helpers.add_routes(app)
    return app


async def get_status(request: web.Request) -> web.Response:
    """The daemon at this moment."""
    return in_json(dict(report.status(request.app[RUNNING])))


async def get_sessions(request: web.Request) -> web.Response:
    """Sessions in order of their index; "next" is the `after` of the following part, null at the end."""
    running = request.app[RUNNING]
    names = {entry.number: entry.name for entry in running.helpers().values()}
    filters, number = filters_of(request, "helper"), _helper_of(request, names)
    shown = partial(rows.session, helpers=names)
    keep = None if number is None else (lambda row: row.helper == number)
    return await _list("sessions", running.table.sessions, shown, filters, keep)


async def get_mappings(request: web.Request) -> web.Response:
    """Mappings, as sessions."""
    return await _list("mappings", request.app[RUNNING].table.mappings, rows.mapping, filters_of(request))


async def get_hosts(request: web.Request) -> web.Response:
    """Internal hosts in order of their addresses; `after` is an address here."""
    require_known(request, {"after", "limit", "host"})
    after = address_of(request, "after")
    only = address_of(request, "host")
    limit = number_of(request, "limit", DEFAULT_LIMIT, 1, MOST_ROWS)
    listed = await asyncio.to_thread(_hosts, request.app[RUNNING].table, after, only)
    following = listed[limit - 1]["host"] if len(listed) > limit else None
    return in_json({"schema": SCHEMA, "hosts": listed[:limit], "next": following})


async def get_drops(request: web.Request) -> web.Response:
    """Every reason for a drop with its count and its sentence."""
    require_known(request, set())
    return in_json({"schema": SCHEMA, "drops": rows.drops(request.app[RUNNING].table.counters())})


async def post_flush(request: web.Request) -> web.Response:
    """End the sessions of one internal host, {"host": "192.168.1.10"}, or of all, {"all": true}."""
    asked = await body_of(request)
    if set(asked) == {"host"}:
        host = as_address("host", str(asked["host"]))
    elif asked == {"all": True}:
        host = None
    else:
        raise BadRequest('say which: {"host": "192.168.1.10"} or {"all": true}')
    ended = await asyncio.to_thread(request.app[RUNNING].table.flush, host)
    log.info("flush: %d sessions of %s ended on request", ended, host or "all hosts")
    return in_json({"schema": SCHEMA, "flushed": ended})


async def post_reload(request: web.Request) -> web.Response:
    """Read the configuration again. 422 with every error when it is not good; then the old one stays."""
    outcome = await request.app[RUNNING].reload()
    errors = [{"key": error.key, "reason": error.reason} for error in outcome.errors]
    answer = {
        "schema": SCHEMA,
        "reloaded": not errors,
        "errors": errors,
        "warnings": list(outcome.warnings),
    }
    return in_json(answer, 422 if errors else 200)


def _hosts(table: Table, after: IPv4Address | None, only: IPv4Address | None) -> list[Host]:
    return rows.hosts(
        {
            address: numbers
            for address, numbers in table.hosts().items()
            if (after is None or address > after) and (only is None or address == only)
        }
    )


def _helper_of(request: web.Request, names: MappingOf[int, str]) -> int | None:
    """The parameter `helper` as a number; None if it is not there. Raises BadRequest."""
    word = request.query.get("helper")
    if word is None:
        return None
    for number, name in names.items():
        if name == word:
            return number
    raise BadRequest(f"no such helper: {word!r}; there are: {', '.join(sorted(names.values())) or 'none'}")


async def _list(
    name: str,
    read: Callable[..., Sequence[Any]],
    shown: Callable[[Any], Any],
    filters: Filters,
    keep: Callable[[Any], bool] | None = None,
) -> web.Response:
    """keep: which rows are meant, of those that `read` gives for the filters; None: all."""
    parts: list[str] = []
    after, wanted = filters.after, filters.limit
    while wanted > 0:
        step = filters._replace(after=after, limit=STEP if keep else min(STEP, wanted))
        page, after, more = await asyncio.to_thread(_part, read, shown, step, keep, wanted)
        parts.extend(page)
        wanted -= len(page)
        if not more:
            return _listed(name, parts, None)
    return _listed(name, parts, after)


def _part(
    read: Callable[..., Sequence[Any]],
    shown: Callable[[Any], Any],
    filters: Filters,
    keep: Callable[[Any], bool] | None,
    wanted: int,
) -> tuple[list[str], int, bool]:
    """Rows as text, no more than are wanted; the number of the last one looked at; may more follow?"""
    found = read(*filters)
    meant = [row for row in found if keep is None or keep(row)]
    more = len(found) == filters.limit or len(meant) > wanted
    looked_at = meant[:wanted] if len(meant) > wanted else found
    return (
        [json.dumps(shown(row)) for row in meant[:wanted]],
        looked_at[-1].number if looked_at else filters.after,
        more,
    )


def _listed(name: str, parts: list[str], following: int | None) -> web.Response:
    text = f'{{"schema": {SCHEMA}, "{name}": [{", ".join(parts)}], "next": {json.dumps(following)}}}\n'
    return web.Response(text=text, content_type="application/json")


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequest as error:
        return in_json({"schema": SCHEMA, "error": str(error)}, 400)
    except web.HTTPException as error:
        return in_json(
            {"schema": SCHEMA, "error": f"{request.method} {request.path}: {error.reason}"}, error.status
        )
    except ConnectionError:
        return web.Response(status=400)  # nobody is there any more to read it
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return in_json({"schema": SCHEMA, "error": "internal error; the daemon's log has it"}, 500)
