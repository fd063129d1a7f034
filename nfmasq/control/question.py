"""A request, read and checked; and the form of an answer."""

import json
from collections.abc import Callable, Collection, Iterable
from ipaddress import AddressValueError, IPv4Address
from typing import Any, NamedTuple

from aiohttp import web

from nfmasq.config.protocols import PROTOCOL_NUMBERS
from nfmasq.control.listings import Filter, Listing
from nfmasq.control.running import Running

RUNNING = web.AppKey("running", Running)

DEFAULT_LIMIT = 1000
MOST_ROWS = 10_000


class BadRequest(Exception):
    """A request that cannot be understood; the text names what is taken."""


class Question(NamedTuple):
    """Which part of a list is asked for; zeros, -1 and None take everything.

    after: where the part before it ended: an index of the table, an address or a word, as the list has it.
    """

    after: Any = None
    limit: int = DEFAULT_LIMIT
    host: IPv4Address | None = None
    port: int = 0
    protocol: int = -1
    helper: str | None = None


def parameters(listing: Listing) -> tuple[Filter, ...]:
    """The parameters a list takes, besides `limit`."""
    return (*listing.filters, *([listing.after] if listing.after else []))


def question_of(request: web.Request, listing: Listing) -> Question:
    """The part of a list that is asked for. Raises BadRequest."""
    taken = parameters(listing)
    require_known(request, {each.name for each in taken} | ({"limit"} if listing.after else set()))
    given = {each.name: _READ[each.kind](request, each.name) for each in taken if each.name in request.query}
    return Question(limit=number_of(request, "limit", DEFAULT_LIMIT, 1, MOST_ROWS), **given)


def in_json(content: Any, status: int = 200) -> web.Response:
    """A JSON object as an answer."""
    return web.Response(text=json.dumps(content) + "\n", status=status, content_type="application/json")


def require_known(request: web.Request, known: Collection[str]) -> None:
    """Raise BadRequest for a parameter that is none of `known`, or that is given twice."""
    for name in request.query:
        if name not in known:
            raise BadRequest(f"no such parameter: {name!r}; this list takes: {_listed(known)}")
        if len(request.query.getall(name)) > 1:
            raise BadRequest(f"the parameter {name!r} stands twice")


def number_of(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """A parameter that is a number. Raises BadRequest."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isdecimal() and text.isascii() and len(text) < 12 and least <= int(text) <= most):
        raise BadRequest(f"{name} must be a number from {least} to {most}, not {text!r}")
    return int(text)


def as_address(name: str, text: str) -> IPv4Address:
    """The address in a text. Raises BadRequest, which names the parameter."""
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise BadRequest(f"{name} must be an IPv4 address such as 192.168.1.10, not {text!r}") from None


def _protocol(request: web.Request, name: str) -> int:
    """An IP protocol number from a name, or from a number written out."""
    word = request.query[name]
    number = PROTOCOL_NUMBERS.get(word.lower())
    if number is None and word.isdecimal() and len(word) <= 3 and int(word) < 256:
        number = int(word)
    if number is None:
        raise BadRequest(
            f"no such protocol: {word!r}; use {', '.join(PROTOCOL_NUMBERS)} or a number up to 255"
        )
    return number


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


_READ: dict[str, Callable[[web.Request, str], Any]] = {
    "address": lambda request, name: as_address(name, request.query[name]),
    "port": lambda request, name: number_of(request, name, 0, 0, 65535),
    "protocol": _protocol,
    "number": lambda request, name: number_of(request, name, 0, 0, 2**32 - 1),
    "word": lambda request, name: request.query[name],
}
"""How a parameter of each kind is read."""
