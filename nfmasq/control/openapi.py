"""The OpenAPI 3.1 document of the control API, made from the operations and their TypedDicts."""

import types
from collections.abc import Iterable
from inspect import getdoc
from typing import Any, Union, get_args, get_origin, get_type_hints

from nfmasq import __version__
from nfmasq.control.listings import Kind, Listing
from nfmasq.control.lists import shape_of
from nfmasq.control.operations import Operation
from nfmasq.control.question import DEFAULT_LIMIT, MOST_ROWS, parameters
from nfmasq.control.schemas import Failure

Object = dict[str, Any]

_SCALARS: dict[Any, Object] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    types.NoneType: {"type": "null"},
    Any: {},
}
_KINDS: dict[Kind, Object] = {
    "address": {"type": "string", "format": "ipv4"},
    "port": {"type": "integer", "minimum": 0, "maximum": 65535},
    "protocol": {"type": "string"},
    "number": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    "word": {"type": "string"},
}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_LIMIT}


def document(operations: Iterable[Operation]) -> Object:
    """The document of these operations."""
    shapes = _Shapes()
    paths: Object = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "nfmasq control API", "version": __version__},
        "paths": paths,
        "components": {"schemas": shapes.named},
    }


class _Shapes:
    """The schemas of the TypedDicts met so far, by name."""

    def __init__(self) -> None:
        self.named: Object = {}

    def of(self, kind: Any) -> Object:
        """The schema of a type; a TypedDict is named, and referred to."""
        if kind in _SCALARS:
            return _SCALARS[kind]
        origin, inside = get_origin(kind), get_args(kind)
        if origin in {types.UnionType, Union}:
            return {"anyOf": [self.of(each) for each in inside]}
        if origin is list:
            return {"type": "array", "items": self.of(inside[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(inside[1])}
        return self._reference(kind)

    def _reference(self, shape: Any) -> Object:
        name = shape.__name__
        if name not in self.named:
            self.named[name] = {}  # a place for it, should it contain itself
            self.named[name] = {
                "type": "object",
                "description": getdoc(shape) or "",
                "properties": {key: self.of(kind) for key, kind in get_type_hints(shape).items()},
                "required": sorted(shape.__required_keys__),
            }
        return {"$ref": f"#/components/schemas/{name}"}


def _described(operation: Operation, shapes: _Shapes) -> Object:
    answer = _list(operation.listing, shapes) if operation.listing else shapes.of(operation.answer)
    failure = _json(shapes.of(Failure))
    errors = {400: "The request cannot be understood.", **operation.errors}
    made: Object = {
        "summary": operation.about,
        "operationId": f"{operation.method.lower()}{operation.path.removeprefix('/v1').translate(_PLAIN)}",
        "parameters": [
            *_in_path(operation.path),
            *(_in_query(operation.listing) if operation.listing else ()),
        ],
        "responses": {
            "200": {"description": "The answer.", **_json(answer)},
            **{
                str(status): {"description": why, **(_json(answer) if status == 422 else failure)}
                for status, why in sorted(errors.items())
            },
        },
    }
    if operation.body:
        made["requestBody"] = {"required": True, **_json(shapes.of(operation.body))}
    return made


_PLAIN = str.maketrans({"/": "_", "{": "", "}": "", ".": "_"})


def _list(listing: Listing, shapes: _Shapes) -> Object:
    """A part of a list. "next" is the `after` of the part behind it, null at the end."""
    shape: Object = {
        "schema": {"type": "integer"},
        listing.name: {"type": "array", "items": shapes.of(shape_of(listing))},
    }
    if listing.after:
        shape["next"] = {"anyOf": [_KINDS[listing.after.kind], {"type": "null"}]}
    return {"type": "object", "properties": shape, "required": sorted(shape)}


def _in_path(path: str) -> Iterable[Object]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(listing: Listing) -> Iterable[Object]:
    for each in parameters(listing):
        yield {"name": each.name, "in": "query", "description": each.about, "schema": _KINDS[each.kind]}
    if listing.after:
        yield {"name": "limit", "in": "query", "description": "At most so many rows.", "schema": _LIMIT}


def _json(schema: Object) -> Object:
    return {"content": {"application/json": {"schema": schema}}}
