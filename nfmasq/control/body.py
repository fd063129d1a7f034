"""The body of a request: one JSON object, small, flat and in UTF-8.

Every way to be something else is a BadRequest with a sentence, and none costs more than the bounds here.
"""

import asyncio
import json
from typing import Any, NoReturn

from aiohttp import web

from nfmasq.control.question import BadRequest

MOST_BYTES = 65_536
MOST_DEPTH = 8
"""Objects and arrays within each other."""
BODY_S = 5.0
"""How long a body may take to arrive."""

_TYPES = {"application/json", "application/x-www-form-urlencoded", "application/octet-stream"}
"""The second is what `curl -d` says of anything; the third stands for a request that does not say."""
_CHARSETS = {None, "utf-8", "utf8", "us-ascii", "ascii"}
_NO_OBJECT = "the body must be a JSON object"


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises BadRequest."""
    _require_plain_json(request)
    return parsed(await _read(request))


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises BadRequest."""
    try:
        content = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    except RecursionError:
        raise BadRequest(_too_deep()) from None
    except ValueError:
        raise BadRequest(_NO_OBJECT) from None
    if not isinstance(content, dict):
        raise BadRequest(_NO_OBJECT)
    _require_flat(content)
    return content


def _require_plain_json(request: web.Request) -> None:
    if request.content_type not in _TYPES:
        raise BadRequest(f"the body must be application/json, not {request.content_type!r}")
    if (request.charset or "utf-8").lower() not in _CHARSETS:
        raise BadRequest(f"the body must be UTF-8, not {request.charset!r}")
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise BadRequest(f"the body must not be compressed: {encoding!r}")
    if (request.content_length or 0) > MOST_BYTES:
        raise BadRequest(_too_long())


async def _read(request: web.Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > MOST_BYTES:
                    raise BadRequest(_too_long())
    except TimeoutError:
        raise BadRequest(f"the body did not arrive within {BODY_S:.0f} s") from None
    except web.RequestPayloadError:
        raise BadRequest("the body is not as its headers say") from None
    return bytes(body)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise BadRequest(f"the key {key!r} stands twice in the body")
        made[key] = value
    return made


def _no_number(word: str) -> NoReturn:
    raise BadRequest(f"{word} is no number of JSON")


def _require_flat(content: dict[str, Any]) -> None:
    level: list[Any] = [content]
    for _ in range(MOST_DEPTH):
        level = [inner for each in level for inner in _inside(each)]
    if any(isinstance(each, dict | list) for each in level):
        raise BadRequest(_too_deep())


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_long() -> str:
    return f"the body is longer than {MOST_BYTES} bytes"


def _too_deep() -> str:
    return f"the body is more than {MOST_DEPTH} objects and arrays deep"
