"""What the API can be asked: an operation is a route and its description in one.

`api` makes the routes from the operations, and `openapi` the document, so the two cannot differ.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from nfmasq.control.listings import Listing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Operation:
    """One operation. answer, body: TypedDicts of the JSON objects; body None: it takes none.

    errors: the meaning of each status other than 200. about: the first line of the handler's docstring.
    listing: the list that answers, which then describes the parameters and the answer.
    """

    method: str
    path: str
    handler: Handler
    about: str
    answer: type | None = None
    body: type | None = None
    errors: Mapping[int, str] = field(default_factory=dict)
    listing: Listing | None = None


def operation(
    method: str,
    path: str,
    handler: Handler,
    answer: type,
    *,
    body: type | None = None,
    errors: Mapping[int, str] | None = None,
) -> Operation:
    """An operation that its handler's docstring describes."""
    about = (handler.__doc__ or "").partition("\n")[0]
    return Operation(method, path, handler, about, answer, body, errors or {})
