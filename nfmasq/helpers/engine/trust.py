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
from collections.abc import Callable, Sequence
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

__all__ = ["NotUnderstood", "Speaker", "act_on", "checked"]

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


def act_on(
    reading: Reading,
    made: list[Edit],
    *,
    speaker: Speaker,
    expectations: Expectations,
    tally: Tally,
    write: Write,
) -> None:
    """Do what a reading asks for, and append to `made` what to write where, in order.

    write: calls a helper's function. Its exceptions are raised here; what was made before them stays.
    """
    if reading.not_acted_on:
        tally.count_not_acted_on(reading.not_acted_on)
    if reading.ended:
        expectations.end_announced(speaker.control, reading.ended, speaker.speaks_for)
    if reading.found:
        _Writer(made, speaker, expectations, tally, write).act_on(reading)
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
    """Writes the places of one reading. made: the edits so far.

    announced: the external endpoints that it announced, and where each Found begins. left, counted: where
    places begin that were not acted on, and those that count as rewritten.
    """

    __slots__ = (
        "_expectations", "_is_inside", "_made", "_session", "_speaker", "_tally", "_write", "announced",
        "counted", "left",
    )  # fmt: skip

    def __init__(
        self, made: list[Edit], speaker: Speaker, expectations: Expectations, tally: Tally, write: Write
    ) -> None:
        self._made = made
        self._speaker = speaker
        self._session = speaker.session
        self._is_inside = speaker.side is Side.INSIDE
        self._expectations = expectations
        self._tally = tally
        self._write = write
        self.announced: list[tuple[int, Endpoint]] = []
        self.left: list[int] = []
        self.counted: list[int] = []

    def act_on(self, reading: Reading) -> None:
        """Write the places, and the sizes last. Raises what a helper's function raises.

        With sizes, or parts that are whole, none is written where one of them fails.
        """
        try:
            sizes = self._write_places(reading.found)
            if self.left and reading.whole:
                self._leave_spoilt(reading.whole)
            if sizes or reading.whole:
                self._made[:] = sized(self._made, sizes, self._text)
        except Exception as why:
            if not reading.whole and not any(isinstance(each, Size) for each in reading.found):
                raise
            self._give_up()
            if not isinstance(why, NotActedOn):
                raise
            self._tally.count_not_acted_on([str(why)])
        finally:
            self._tally.rewritten += len(self.counted)

    def _give_up(self) -> None:
        """Leave all that was read as it came."""
        self._take_back([_EVERYTHING])
        self._made.clear()
        self.counted.clear()

    def _leave_spoilt(self, whole: Sequence[tuple[int, int]]) -> None:
        """Leave parts as they came that are written as a whole, and have a place that was left."""
        spoilt = [part for part in whole if any(_lies_in(part, at) for at in self.left)]
        self._take_back(spoilt)
        self.counted = [at for at in self.counted if not any(_lies_in(part, at) for part in spoilt)]
        self._made[:] = [edit for edit in self._made if not any(_lies_in(part, edit[0]) for part in spoilt)]

    def _write_places(self, found: Sequence[Place]) -> list[Size]:
        """Write all but the sizes, and return those."""
        made, tally, sizes = self._made, self._tally, []
        for each in found:
            if isinstance(each, Size):
                sizes.append(each)
                continue
            place = text = None
            try:
                place = self._place(each)
                if place is not None and each.write is not None:
                    text = self._text(each.write, *place)
            except Exception as why:
                self._unannounce(each, place)
                if not isinstance(why, NotActedOn):
                    raise
                self.left.append(each.start)
                tally.count_not_acted_on([str(why)])
                if self._is_inside and _is_hidden(each):
                    made.append((each.start, each.end, self._hidden(each)))
                continue
            tally.seen += 1
            if text is not None:
                self.counted.append(each.start)
                made.append((each.start, each.end, text))
            if isinstance(each, Found) and each.apart is not None:
                self._write_apart(each.apart, each.start)
        return sizes

    def _place(self, each: Found | Named | Mentioned) -> Endpoint | None:
        """The endpoint that takes the place of another; None: the text stays. Raises NotActedOn."""
        session = self._session
        if isinstance(each, Named):
            return _named(each, session) if self._is_inside else None
        if isinstance(each, Mentioned):
            if self._is_inside:
                return None
            return _own(each, session) or self._expectations.original(self._speaker.control, session, each)
        if self._is_inside:
            row = self._expectations.announce_all(self._speaker.control, session, self._speaker.helper, each)
            if not each.reuse:
                self.announced += [(each.start, external) for external in row]
            return row[0]
        if each.address is not None and each.address != session.remote[0]:
            raise NotActedOn("forged")
        if each.transport == "gre" and not each.reuse:
            self._expectations.announce_sent(self._speaker.control, session, self._speaker.helper, each)
        return None

    def _write_apart(self, apart: Apart, at: int) -> None:
        """Write what names the ports of the Found that begins there, if they are no row, or in any case."""
        ports = [external[1] for start, external in self.announced if start == at]
        if ports and (apart.always or not _is_row(ports)):
            text = self._text(apart.write, self._session.external[0], ports)
            self.counted.append(apart.start)
            self._made.append((apart.start, apart.end, text))

    def _unannounce(self, each: Place, place: Endpoint | None) -> None:
        """Withdraw what was announced for a place whose text cannot be written."""
        if place is not None and isinstance(each, Found) and not each.reuse:
            self._expectations.take_back(self._speaker.control, place)

    def _hidden(self, each: Place) -> bytes:
        port = each.port if isinstance(each, Found) else 0
        return self._text(each.write, self._session.external[0], port)

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


def _is_hidden(each: Place) -> bool:
    """Must its address not be seen outside, though nothing was expected?"""
    return isinstance(each, Found) and each.hide and each.write is not None


def _named(each: Named, session: Session) -> Endpoint | None:
    """The external endpoint, without a port or with the session's; None: the text stays."""
    (own, port), address = session.internal, each.address
    is_own = each.port in (0, port) and (address is own or address == own)
    if not is_own and not each.hide:
        return None
    return session.external if each.port and is_own else (session.external[0], each.port)


def _own(each: Mentioned, session: Session) -> Endpoint | None:
    """The session's internal endpoint, or its address alone, if the external one is mentioned."""
    if each.address is not None and each.port == 0:
        return (session.internal[0], 0) if each.address == session.external[0] else None
    (own, port), address = session.external, each.address
    is_own = (
        each.port == port
        and (address is None or address is own or address == own)
        and (not each.transport or each.transport == session.transport)
    )
    return session.internal if is_own else None


def _is_row(ports: Sequence[int]) -> bool:
    """Do they follow each other, and is the first of two even?

    A receiver may take the even port below for an odd one (RFC 3550 section 11).
    """
    is_odd = len(ports) == 2 and ports[0] % 2 == 1
    return not is_odd and all(port == ports[0] + nth for nth, port in enumerate(ports))
