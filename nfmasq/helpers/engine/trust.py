"""From what a dialogue found to what is written in its place: the one who trusts or does not.

An endpoint of the inside is announced to the core, and what the core answers is written. One of the outside
is only read: that way no router hides anybody. A text is written only when all was well; otherwise what was
there stays, and is counted. What a dialogue says of itself is believed no more than what is in a packet.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.engine.expectations import Expecting, Name
from nfmasq.helpers.engine.tally import Tally
from nfmasq.helpers.kit.base import (
    MOST_FOUND,
    Endpoint,
    Found,
    Mentioned,
    Named,
    Place,
    Reading,
    Refusal,
    Session,
    Side,
)

LONGEST_TEXT = 512
"""Bytes written for one; a segment of 576 holds it."""

_PLACES = Found, Named, Mentioned
_SEQUENCES = {list, tuple}
"""Not what only looks like one: going through it would run code of the helper's, outside its leash."""

Edit = tuple[int, int, bytes]
"""A span of what was read, and what takes its place."""
Write = Callable[[Callable[[IPv4Address, int], bytes], IPv4Address, int], bytes]


class Speaker(NamedTuple):
    """Who says it: a side of a session, and the session's name."""

    side: Side
    control: Name
    session: Session


class NotUnderstood(Exception):
    """A reading that contradicts itself or what was read."""


def checked(reading: object, length: int) -> Reading:
    """The reading, if it makes sense of that many bytes. Raises NotUnderstood."""
    if not isinstance(reading, Reading) or not 0 <= reading.taken <= length:
        raise NotUnderstood("it took more than it was given, or gave no Reading")
    if type(reading.found) not in _SEQUENCES or type(reading.refused) not in _SEQUENCES:
        raise NotUnderstood("what it found and refused must be in lists or tuples")
    if len(reading.found) > MOST_FOUND or len(reading.refused) > max(MOST_FOUND, length):
        raise NotUnderstood(
            f"it found more than {MOST_FOUND} endpoints at once, or refused more than there is"
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
    reading: Reading, *, speaker: Speaker, expecting: Expecting, tally: Tally, write: Write
) -> Iterator[Edit]:
    """What to write where. write: calls a helper's function. Raises what that raises."""
    if reading.refused:
        tally.refuse(reading.refused)
    for each in reading.found:
        try:
            place = _place(each, speaker, expecting)
            if place is None:
                tally.seen += 1
                continue
            text = _written(each, place, speaker, expecting, write)
        except Refusal as refused:
            tally.refuse([str(refused)])
            continue
        tally.seen += 1
        tally.rewritten += 1
        yield each.start, each.end, text


def _place(each: Place, speaker: Speaker, expecting: Expecting) -> Endpoint | None:
    """The endpoint that takes the place of one, or None where it is to stay. Raises Refusal."""
    session = speaker.session
    if isinstance(each, Mentioned):
        return expecting.original(speaker.control, each.port) if speaker.side is Side.OUTSIDE else None
    if isinstance(each, Named):
        is_own = speaker.side is Side.INSIDE and each.address == session.internal[0]
        return (session.external[0], 0) if is_own else None
    if speaker.side is Side.INSIDE:
        return expecting.announce(speaker.control, session, each)
    if each.address is not None and each.address != session.remote[0]:
        raise Refusal("forged")
    return None


def _written(each: Place, place: Endpoint, speaker: Speaker, expecting: Expecting, write: Write) -> bytes:
    try:
        text = write(each.write, *place)
        if not isinstance(text, bytes):
            raise NotUnderstood("it wrote no bytes")
        if not 0 < len(text) <= LONGEST_TEXT:
            raise Refusal("too_long")
    except Exception:
        if isinstance(each, Found) and not each.reuse:
            expecting.take_back(speaker.control, place)
        raise
    return text
