"""Serves the lists of `listings`: what each row needs of the API, and of whoever else shows a list."""

import asyncio
import json
from importlib import import_module
from typing import Any

from aiohttp import web

from nfmasq.control.listings import LISTINGS, Listing
from nfmasq.control.operations import Handler, Operation
from nfmasq.control.paging import STEP, Part
from nfmasq.control.question import RUNNING, Question, question_of
from nfmasq.control.running import Running
from nfmasq.control.schemas import SCHEMA


async def part_of(listing: Listing, running: Running, asked: Question | None = None) -> Part:
    """The part of a list that is asked for; by default its first rows. Raises BadRequest."""
    part = await _module(listing).read(running, asked or Question())
    assert isinstance(part, Part)
    return part


def shape_of(listing: Listing) -> type:
    """The TypedDict of a row."""
    shape = getattr(_module(listing), listing.row)
    assert isinstance(shape, type)
    return shape


def _module(listing: Listing) -> Any:
    return import_module(f"nfmasq.control.{listing.name}")


def _handler(listing: Listing) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        part = await part_of(listing, request.app[RUNNING], question_of(request, listing))
        if len(part.rows) > STEP:
            text = await asyncio.to_thread(_text, listing, part)
        else:
            text = _text(listing, part)
        return web.Response(text=text, content_type="application/json")

    return answer


def _text(listing: Listing, part: Part) -> str:
    """The answer. Each row is written alone: the interpreter's lock is free in between."""
    rows = ", ".join([json.dumps(row) for row in part.rows])
    following = f', "next": {json.dumps(part.following)}' if listing.after else ""
    return f'{{"schema": {SCHEMA}, "{listing.name}": [{rows}]{following}}}\n'


OPERATIONS = tuple(
    Operation("GET", f"/v1/{each.name}", _handler(each), each.about, listing=each)
    for each in LISTINGS.values()
)
