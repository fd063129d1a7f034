"""The control API: HTTP/1.1 and JSON on the unix socket.

The operations of each subject are collected here and become routes. Errors become JSON objects.
"""

import asyncio
import logging
from typing import Any, TypedDict

from aiohttp import web

from nfmasq.control import forwards, helpers, lists, openapi, report
from nfmasq.control.body import body_of
from nfmasq.control.operations import Handler, operation
from nfmasq.control.question import RUNNING, BadRequest, as_address, in_json
from nfmasq.control.running import Running
from nfmasq.control.schemas import SCHEMA, Flush, Flushed, Reloaded, Status
from nfmasq.machine.shortage import shortage

log = logging.getLogger("nfmasq")


class Document(TypedDict):
    """An OpenAPI document, version 3.1."""

    openapi: str
    info: dict[str, str]
    paths: dict[str, Any]
    components: dict[str, Any]


def application(running: Running) -> web.Application:
    """The control API of a running daemon."""
    app = web.Application(middlewares=[_errors_as_json])
    app[RUNNING] = running
    for each in OPERATIONS:
        if each.method == "GET":
            app.router.add_get(each.path, each.handler)  # and HEAD
        else:
            app.router.add_route(each.method, each.path, each.handler)
    return app


async def get_status(request: web.Request) -> web.Response:
    """The daemon at this moment."""
    return in_json(report.status(request.app[RUNNING]))


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
    """Read the configuration again, and adopt it when it is good."""
    outcome = await request.app[RUNNING].reload()
    errors = [{"key": error.key, "reason": error.reason} for error in outcome.errors]
    answer = {
        "schema": SCHEMA,
        "reloaded": not errors,
        "errors": errors,
        "warnings": list(outcome.warnings),
    }
    return in_json(answer, 422 if errors else 200)


async def get_openapi(request: web.Request) -> web.Response:
    """This document."""
    return in_json(openapi.document(OPERATIONS))


OPERATIONS = (
    operation("GET", "/v1/status", get_status, Status),
    *lists.OPERATIONS,
    *helpers.OPERATIONS,
    *forwards.OPERATIONS,
    operation(
        "POST",
        "/v1/flush",
        post_flush,
        Flushed,
        body=Flush,
        errors={400: "The body does not say which sessions."},
    ),
    operation(
        "POST",
        "/v1/reload",
        post_reload,
        Reloaded,
        errors={422: "The configuration is wrong; the old one stays."},
    ),
    operation("GET", "/v1/openapi.json", get_openapi, Document),
)
"""All the API can be asked."""


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
        return web.Response(status=400)  # the client has gone
    except Exception as error:
        if lacking := shortage(error):
            return in_json({"schema": SCHEMA, "error": f"{lacking} at this moment; ask again"}, 503)
        log.exception("%s %r failed", request.method, request.path)
        return in_json({"schema": SCHEMA, "error": "internal error; the daemon's log has it"}, 500)
