"""From what a dialogue found to what is written in its place: every endpoint is checked here.

An endpoint that the inside wrote is announced to the core, and the external endpoint takes its place. An
endpoint that the outside wrote is only read: it needs no translation. A text is written only when all checks
passed; otherwise the old text stays, and the reason is counted. An address that is to be hidden is replaced
all the same. A reading is trusted as little as a packet.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.engine.expectations import Expectations
from nfmasq.helpers.engine.interfaces import Edit, Name
from nfmasq.helpers.engine.tally import Tally
from nfmasq.helpers.kit.base import (
    MOST_FOUND,
    Endpoint,
    Found,
    Mentioned,
    Named,
    NotActedOn,
    Place,
    Reading,
    Session,
    Side,
)

LONGEST_TEXT = 512
"""Bytes written for one endpoint; an IP packet of 576 bytes holds them."""

_PLACES = Found, Named, Mentioned
_SEQUENCES = {list, tuple}
"""No types that only resemble them: iterating those would run the helper's code outside its leash."""

Write = Callable[[Callable[[IPv4Address, int], bytes], IPv4Address, int], bytes]


class Speaker(NamedTuple):
    """A side of a session, and the session: its name, its endpoints and its helper's number."""

    side: Side
    control: Name
    session: Session
    helper: int


class NotUnderstood(Exception):
    """A reading that contradicts itself, or the bytes that were read."""


def checked(reading: object, length: int) -> Reading:
    """The reading, if it is a valid one of `length` bytes. Raises NotUnderstood."""
    if not isinstance(reading, Reading) or not 0 <= reading.taken <= length:
        raise NotUnderstood("it took more than it was given, or gave no Reading")
    if type(reading.found) not in _SEQUENCES or type(reading.not_acted_on) not in _SEQUENCES:
        raise NotUnderstood("what it found and left alone must be in lists or tuples")
    if len(reading.found) > MOST_FOUND or len(reading.not_acted_on) > max(MOST_FOUND, length):
        raise NotUnderstood(
            f"it found more than {MOST_FOUND} endpoints at once, or left alone more than there is"
        )
    here = 0
    for each in reading.found:
        if not isinstance(each, _PLACES):
            raise NotUnderstood("it found something that is no Found, Named or Mentioned")
        if not here <= each.start < each.end <= reading.taken:
            raise NotUnderstood("its spans are out of order, or outside what it took")
        here = each.end
    return reading


def edits(
    reading: Reading, *, speaker: Speaker, expectations: Expectations, tally: Tally, write: Write
) -> Iterator[Edit]:
    """What to write where, in order. write: calls a helper's function; its exceptions are raised here."""
    if reading.not_acted_on:
        tally.count_not_acted_on(reading.not_acted_on)
    for each in reading.found:
        try:
            place = _place(each, speaker, expectations)
            if place is None:
                tally.seen += 1
                continue
            text = _written(each, place, speaker, expectations, write)
        except NotActedOn as why:
            tally.count_not_acted_on([str(why)])
            if isinstance(each, Found) and each.hide and speaker.side is Side.INSIDE:
                yield each.start, each.end, _text(each, (speaker.session.external[0], each.port), write)
            continue
        tally.seen += 1
        tally.rewritten += 1
        yield each.start, each.end, text


def _place(each: Place, speaker: Speaker, expectations: Expectations) -> Endpoint | None:
    """The endpoint that takes the place of another; None: the text stays. Raises NotActedOn."""
    session = speaker.session
    if isinstance(each, Mentioned):
        return expectations.original(speaker.control, each.port) if speaker.side is Side.OUTSIDE else None
    if isinstance(each, Named):
        is_hidden = speaker.side is Side.INSIDE and (each.hide or each.address == session.internal[0])
        return (session.external[0], 0) if is_hidden else None
    if speaker.side is Side.INSIDE:
        return expectations.announce(speaker.control, session, speaker.helper, each)
    if each.address is not None and each.address != session.remote[0]:
        raise NotActedOn("forged")
    return None


def _written(
    each: Place, place: Endpoint, speaker: Speaker, expectations: Expectations, write: Write
) -> bytes:
    try:
        return _text(each, place, write)
    except Exception:
        if isinstance(each, Found) and not each.reuse:
            expectations.take_back(speaker.control, place)
        raise


def _text(each: Place, place: Endpoint, write: Write) -> bytes:
    text = write(each.write, *place)
    if not isinstance(text, bytes):
        raise NotUnderstood("it wrote no bytes")
    if not 0 < len(text) <= LONGEST_TEXT:
        raise NotActedOn("too_long")
    return text
