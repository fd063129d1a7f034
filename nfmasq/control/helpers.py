"""The handlers of /v1/helpers: which there are, for whom they are on, what they did; and the switch."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from aiohttp import web

from nfmasq.config.addresses import network
from nfmasq.config.values import described
from nfmasq.control.question import (
    DEFAULT_LIMIT,
    MOST_ROWS,
    RUNNING,
    BadRequest,
    body_of,
    in_json,
    number_of,
    require_known,
)
from nfmasq.control.schemas import SCHEMA, Helper, Running
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.runtime.helpers import Entry, HelperRefused, NoSuchHelper


def add_routes(app: web.Application) -> None:
    """Serve /v1/helpers."""
    app.router.add_get("/v1/helpers", get_helpers)
    app.router.add_put("/v1/helpers/{name}", put_helper)


async def get_helpers(request: web.Request) -> web.Response:
    """Every helper that could be loaded, in order of the names; `after` is a name here."""
    require_known(request, {"after", "limit", "helper"})
    limit = number_of(request, "limit", DEFAULT_LIMIT, 1, MOST_ROWS)
    after, only = request.query.get("after", ""), request.query.get("helper")
    listed = [
        row for row in rows(request.app[RUNNING]) if row["name"] > after and only in {None, row["name"]}
    ]
    following = listed[limit - 1]["name"] if len(listed) > limit else None
    return in_json({"schema": SCHEMA, "helpers": listed[:limit], "next": following})


async def put_helper(request: web.Request) -> web.Response:
    """Switch a helper, {"enabled": true}, for all or for the hosts of "internal" alone: at once.

    404 for an unknown one, 409 for one that cannot be switched so.
    """
    require_known(request, set())
    enabled, internal = _switch_of(await body_of(request))
    running = request.app[RUNNING]
    try:
        entry = await running.turn_helper(request.match_info["name"], enabled, internal)
    except NoSuchHelper as unknown:
        return in_json({"schema": SCHEMA, "error": str(unknown)}, 404)
    except HelperRefused as refused:
        return in_json({"schema": SCHEMA, "error": str(refused)}, 409)
    return in_json({"schema": SCHEMA, **_row(entry, running.helper_counters())})


def rows(running: Running) -> list[Helper]:
    """The helpers as the API shows them."""
    counters = running.helper_counters()
    return [_row(entry, counters) for _, entry in sorted(running.helpers().items())]


def _switch_of(asked: dict[str, Any]) -> tuple[bool, IPv4Network | None]:
    unknown = sorted(asked.keys() - {"enabled", "internal"})
    if unknown:
        raise BadRequest(f'no such key: {unknown[0]!r}; there are: "enabled", "internal"')
    if not isinstance(asked.get("enabled"), bool):
        given = f", not {described(asked['enabled'])}" if asked.get("enabled") is not None else ""
        raise BadRequest(f"enabled must be true or false{given}")
    if asked.get("internal") is None:
        return asked["enabled"], None
    try:
        return asked["enabled"], network(asked["internal"])
    except ValueError as error:
        raise BadRequest(f"internal: {error}") from None


def _row(entry: Entry, counters: Mapping[str, HelperCounters]) -> Helper:
    counted = counters.get(entry.name, HelperCounters())
    return {
        "name": entry.name,
        "about": entry.helper.about,
        "enabled": entry.switch.everywhere,
        "networks": [{"cidr": str(cidr), "enabled": on} for cidr, on in entry.switch.networks],
        "transport": entry.transport,
        "ports": list(entry.ports),
        "options": {key: str(value) for key, value in entry.options.items()},
        "sessions": counted.sessions,
        "messages": counted.by_result(),
        "refused": dict(counted.refused),
        "seconds": counted.seconds,
    }
