"""From what a dialogue found to what is written in its place: every endpoint is checked here.

An endpoint that the inside wrote is announced to the core, and the external endpoint takes its place. An
endpoint that the outside wrote is only read: it needs no translation. If it is one of ours, the internal one
takes its place. If it is a key, what the inside is going to send with it is announced. A text is written only
when all checks passed; otherwise the old text stays, and the reason is counted. An address that is to be
hidden is replaced all the same.

Sizes are written last. If one of them cannot be written, the whole reading goes untouched: a size that
contradicts its part would spoil every message behind it. A part that must be `whole` goes untouched, too,
where one of its places is not acted on.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from nfmasq.helpers.engine.checked import NotUnderstood, checked
from nfmasq.helpers.engine.expectations import Expectations
from nfmasq.helpers.engine.interfaces import Edit, Name
from nfmasq.helpers.engine.standing import SpeaksFor
from nfmasq.helpers.engine.tally import Tally
from nfmasq.helpers.kit.base import (
    Apart,
    Endpoint,
    Found,
    Mentioned,
    Named,
    NotActedOn,
    Place,
    Reading,
    Session,
    Side,
    Size,
)
from nfmasq.helpers.kit.sizes import sized

__all__ = ["NotUnderstood", "Speaker", "checked", "edits"]

LONGEST_TEXT = 512
"""Bytes written for one endpoint; an IP packet of 576 bytes holds them."""

_EVERYTHING = 0, sys.maxsize

Write = Callable[..., Any]
"""Calls a helper's function with the arguments behind it."""


class Speaker(NamedTuple):
    """A side of a session, and the session: its name, its endpoints and its helper's number.

    speaks_for: the sessions of which it may speak, too; None: of itself alone.
    """

    side: Side
    control: Name
    session: Session
    helper: int
    speaks_for: SpeaksFor | None = None


def edits(
    reading: Reading, *, speaker: Speaker, expectations: Expectations, tally: Tally, write: Write
) -> Iterator[Edit]:
    """What to write where, in order. write: calls a helper's function; its exceptions are raised here."""
    if reading.not_acted_on:
        tally.count_not_acted_on(reading.not_acted_on)
    if reading.ended:
        expectations.end_announced(speaker.control, reading.ended, speaker.speaks_for)
    writer = _Writer(speaker, expectations, tally, write)
    sizes = [each for each in reading.found if isinstance(each, Size)]
    if sizes or reading.whole:
        yield from writer.with_sizes(reading, sizes)
    else:
        yield from writer.edits(reading)
    for each in reading.admitted:
        try:
            expectations.admit(speaker.control, speaker.session, each, speaker.speaks_for)
        except NotActedOn as why:
            tally.count_not_acted_on([str(why)])
    if reading.hold_s > 0:
        expectations.hold(speaker.control, speaker.session, speaker.helper, reading.hold_s)
    if reading.remember:
        expectations.remember(speaker.control, speaker.session, reading.remember)


class _Writer:
    """Writes the places of one reading.

    announced: the external endpoints that it announced, and where each Found begins. left, counted: where
    places begin that were not acted on, and those that count as rewritten.
    """

    def __init__(self, speaker: Speaker, expectations: Expectations, tally: Tally, write: Write) -> None:
        self._speaker = speaker
        self._expectations = expectations
        self._tally = tally
        self._write = write
        self.announced: list[tuple[int, Endpoint]] = []
        self.left: list[int] = []
        self.counted: list[int] = []

    def with_sizes(self, reading: Reading, sizes: list[Size]) -> list[Edit]:
        """All edits of a reading, or none where one of them fails. Raises what a helper's function raises."""
        rewritten = self._tally.rewritten
        try:
            edits = list(self.edits(reading))
            if self.left:
                edits = self._unspoilt(edits, reading.whole)
            return sized(edits, sizes, self._text)
        except NotActedOn as why:
            self._tally.count_not_acted_on([str(why)])
        except Exception:
            self._take_back([_EVERYTHING])
            self._tally.rewritten = rewritten
            raise
        self._take_back([_EVERYTHING])
        self._tally.rewritten = rewritten
        return []

    def _unspoilt(self, edits: list[Edit], whole: Sequence[tuple[int, int]]) -> list[Edit]:
        """The edits outside of parts that are written as a whole, and have a place that was left."""
        spoilt = [part for part in whole if any(_lies_in(part, at) for at in self.left)]
        self._take_back(spoilt)
        self._tally.rewritten -= sum(any(_lies_in(part, at) for part in spoilt) for at in self.counted)
        return [edit for edit in edits if not any(_lies_in(part, edit[0]) for part in spoilt)]

    def edits(self, reading: Reading) -> Iterator[Edit]:
        """What to write where, without the sizes."""
        for each in reading.found:
            if isinstance(each, Size):
                continue
            try:
                text = None
                if (place := self._place(each)) is not None and each.write is not None:
                    text = self._written(each, place)
            except NotActedOn as why:
                self.left.append(each.start)
                self._tally.count_not_acted_on([str(why)])
                if _is_hidden(each, self._speaker):
                    yield each.start, each.end, self._hidden(each)
                continue
            self._tally.seen += 1
            if text is not None:
                self._count(each.start)
                yield each.start, each.end, text
            if isinstance(each, Found) and each.apart is not None:
                yield from self._apart(each.apart, each.start)

    def _place(self, each: Found | Named | Mentioned) -> Endpoint | None:
        """The endpoint that takes the place of another; None: the text stays. Raises NotActedOn."""
        side, session = self._speaker.side, self._speaker.session
        if isinstance(each, Mentioned):
            if side is Side.INSIDE:
                return None
            return _own(each, session) or self._expectations.original(self._speaker.control, session, each)
        if isinstance(each, Named):
            return _named(each, session) if side is Side.INSIDE else None
        if side is Side.INSIDE:
            row = self._expectations.announce_all(self._speaker.control, session, self._speaker.helper, each)
            if not each.reuse:
                self.announced += [(each.start, external) for external in row]
            return row[0]
        if each.address is not None and each.address != session.remote[0]:
            raise NotActedOn("forged")
        if each.transport == "gre" and not each.reuse:
            self._expectations.announce_sent(self._speaker.control, session, self._speaker.helper, each)
        return None

    def _apart(self, apart: Apart, at: int) -> Iterator[Edit]:
        """What is written for ports of the Found that begins there, if they are no row, or in any case."""
        ports = [external[1] for start, external in self.announced if start == at]
        if ports and (apart.always or not _is_row(ports)):
            address = self._speaker.session.external[0]
            self._count(apart.start)
            yield apart.start, apart.end, self._text(apart.write, address, ports)

    def _count(self, at: int) -> None:
        self._tally.rewritten += 1
        self.counted.append(at)

    def _written(self, each: Place, place: Endpoint) -> bytes:
        try:
            return self._text(each.write, *place)
        except Exception:
            if isinstance(each, Found) and not each.reuse:
                self._expectations.take_back(self._speaker.control, place)
            raise

    def _hidden(self, each: Place) -> bytes:
        port = each.port if isinstance(each, Found) else 0
        return self._text(each.write, self._speaker.session.external[0], port)

    def _text(self, function: Callable[..., bytes] | None, *arguments: object) -> bytes:
        text = self._write(function, *arguments)
        if not isinstance(text, bytes):
            raise NotUnderstood("it wrote no bytes")
        if not 0 < len(text) <= LONGEST_TEXT:
            raise NotActedOn("too_long")
        return text

    def _take_back(self, parts: Sequence[tuple[int, int]]) -> None:
        """Withdraw what was announced in these parts."""
        for at, external in self.announced:
            if any(_lies_in(part, at) for part in parts):
                self._expectations.take_back(self._speaker.control, external)


def _lies_in(part: tuple[int, int], at: int) -> bool:
    return part[0] <= at < part[1]


def _is_hidden(each: Place, speaker: Speaker) -> bool:
    """Must its address not be seen outside, though nothing was expected?"""
    return isinstance(each, Found) and each.hide and each.write is not None and speaker.side is Side.INSIDE


def _named(each: Named, session: Session) -> Endpoint | None:
    """The external endpoint, without a port or with the session's; None: the text stays."""
    is_own = each.address == session.internal[0] and (each.port == 0 or each.port == session.internal[1])
    if not is_own and not each.hide:
        return None
    return session.external[0], session.external[1] if each.port and is_own else each.port


def _own(each: Mentioned, session: Session) -> Endpoint | None:
    """The session's internal endpoint, if its external one is mentioned."""
    is_own = (
        each.port == session.external[1]
        and (each.address is None or each.address == session.external[0])
        and (not each.transport or each.transport == session.transport)
    )
    return session.internal if is_own else None


def _is_row(ports: Sequence[int]) -> bool:
    """Do they follow each other, and is the first of two even?

    A receiver may take the even port below for an odd one (RFC 3550 section 11).
    """
    is_odd = len(ports) == 2 and ports[0] % 2 == 1
    return not is_odd and all(port == ports[0] + nth for nth, port in enumerate(ports))
