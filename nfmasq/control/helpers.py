"""The list of helpers, and the operation that enables or disables one."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any, NotRequired, TypedDict

from aiohttp import web

from nfmasq.config.addresses import network
from nfmasq.config.values import described
from nfmasq.control.body import body_of
from nfmasq.control.operations import operation
from nfmasq.control.paging import Part, cut
from nfmasq.control.question import RUNNING, BadRequest, Question, in_json, require_known
from nfmasq.control.running import Running
from nfmasq.control.schemas import SCHEMA
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.runtime.helpers import Entry, HelperRefused, NoSuchHelper


class HelperNetwork(TypedDict):
    """A network with a setting of its own, different from the helper's."""

    cidr: str
    enabled: bool


class Helper(TypedDict):
    """One helper, and what was counted of it."""

    name: str
    about: str
    enabled: bool
    """For hosts outside its networks."""
    networks: list[HelperNetwork]
    """The narrowest first; of those that hold a host, the first counts."""
    transport: str
    """tcp, udp, or tcp+udp."""
    ports: list[int]
    options: dict[str, str]
    sessions: int
    """Sessions it reads now."""
    messages: dict[str, int]
    """By result: seen, rewritten, not_acted_on, error. `refused` is the older name of not_acted_on."""
    not_acted_on: dict[str, int]
    """Messages not acted on, by reason."""
    refused: dict[str, int]
    """The older name of not_acted_on."""
    seconds: float
    """Processor time so far."""


class SetHelper(TypedDict):
    """Enable or disable a helper. internal: only for the hosts of this network; without it for all hosts."""

    enabled: bool
    internal: NotRequired[str | None]


class HelperAsSet(Helper):
    """The helper after the change."""

    schema: int


async def read(running: Running, asked: Question) -> Part:
    """Every helper that could be loaded, in order of the names; `after` is a name."""
    counters = running.helpers.counters()
    rows = [
        _row(entry, counters)
        for name, entry in sorted(running.helpers.entries.items())
        if name > (asked.after or "") and asked.helper in {None, name}
    ]
    return cut(rows, asked, "name")


async def put_helper(request: web.Request) -> web.Response:
    """Enable or disable a helper. It is in force when the answer comes."""
    require_known(request, set())
    enabled, internal = _setting_of(await body_of(request))
    running = request.app[RUNNING]
    try:
        entry = await running.helpers.set_enabled(request.match_info["name"], enabled, internal)
    except NoSuchHelper as unknown:
        return in_json({"schema": SCHEMA, "error": str(unknown)}, 404)
    except HelperRefused as refused:
        return in_json({"schema": SCHEMA, "error": str(refused)}, 409)
    return in_json({"schema": SCHEMA, **_row(entry, running.helpers.counters())})


OPERATIONS = (
    operation(
        "PUT",
        "/v1/helpers/{name}",
        put_helper,
        HelperAsSet,
        body=SetHelper,
        errors={404: "No helper has this name.", 409: "The helper cannot be enabled or disabled so."},
    ),
)


def _setting_of(asked: dict[str, Any]) -> tuple[bool, IPv4Network | None]:
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
    by_result = counted.by_result()
    return {
        "name": entry.name,
        "about": entry.helper.about,
        "enabled": entry.switch.everywhere,
        "networks": [{"cidr": str(cidr), "enabled": on} for cidr, on in entry.switch.networks],
        "transport": "+".join(entry.transports),
        "ports": list(entry.ports),
        "options": {key: str(value) for key, value in entry.options.items()},
        "sessions": counted.sessions,
        "messages": {**by_result, "not_acted_on": by_result["refused"]},
        "not_acted_on": dict(counted.not_acted_on),
        "refused": dict(counted.not_acted_on),
        "seconds": counted.seconds,
    }
