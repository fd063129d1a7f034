"""What a request asks, read and checked; and the form of an answer."""

import json
from ipaddress import AddressValueError, IPv4Address
from typing import Any, NamedTuple

from aiohttp import web

from nfmasq.control import rows
from nfmasq.control.schemas import Running

RUNNING = web.AppKey("running", Running)

DEFAULT_LIMIT = 1000
MOST_ROWS = 10_000


class BadRequest(Exception):
    """What was asked cannot be understood; the text says what can."""


class Filters(NamedTuple):
    """What part of a list is asked for; zeros and None take everything."""

    after: int
    limit: int
    host: IPv4Address | None
    port: int
    protocol: int


def in_json(content: dict[str, Any], status: int = 200) -> web.Response:
    """A JSON object as an answer."""
    return web.Response(text=json.dumps(content) + "\n", status=status, content_type="application/json")


def filters_of(request: web.Request, *others: str) -> Filters:
    """What part of a list is asked for. others: parameters it takes besides. Raises BadRequest."""
    require_known(request, {"after", "limit", "host", "port", "protocol", *others})
    return Filters(
        after=number_of(request, "after", 0, 0, 2**32 - 1),
        limit=number_of(request, "limit", DEFAULT_LIMIT, 1, MOST_ROWS),
        host=address_of(request, "host"),
        port=number_of(request, "port", 0, 0, 65535),
        protocol=protocol_of(request),
    )


def require_known(request: web.Request, known: set[str]) -> None:
    """Raise BadRequest for a parameter that is none of `known`."""
    for name in request.query:
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            raise BadRequest(f"no such parameter: {name!r}; this list takes: {allowed}")


def protocol_of(request: web.Request) -> int:
    """The parameter `protocol` as an IP protocol number; -1 if it is not there. Raises BadRequest."""
    word = request.query.get("protocol")
    try:
        return -1 if word is None else rows.protocol_number(word)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def number_of(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """A parameter that is a number. Raises BadRequest."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isdecimal() and text.isascii() and len(text) < 12 and least <= int(text) <= most):
        raise BadRequest(f"{name} must be a number from {least} to {most}, not {text!r}")
    return int(text)


def address_of(request: web.Request, name: str) -> IPv4Address | None:
    """A parameter that is an address. Raises BadRequest."""
    text = request.query.get(name)
    return None if text is None else as_address(name, text)


def as_address(name: str, text: str) -> IPv4Address:
    """The address in a text. Raises BadRequest, which names the parameter."""
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise BadRequest(f"{name} must be an IPv4 address such as 192.168.1.10, not {text!r}") from None


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises BadRequest."""
    try:
        content = await request.json()
    except ValueError:
        raise BadRequest("the body must be a JSON object") from None
    if not isinstance(content, dict):
        raise BadRequest("the body must be a JSON object")
    return content
