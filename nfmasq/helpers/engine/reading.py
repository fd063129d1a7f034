"""Calls dialogues: what they are given to read, and what to write where they found an endpoint.

What is stored: a tally for each helper's number, and the name of the helper that was called last. Who writes:
the engine's thread. What ends a dialogue here: it raises, or takes too long (`leash`); the error is counted
and the bytes go untouched.
"""

import logging
from collections.abc import Sequence

from nfmasq.helpers.engine import trust
from nfmasq.helpers.engine.enabled import EnabledHelpers
from nfmasq.helpers.engine.expectations import Expectations
from nfmasq.helpers.engine.hosts import Hosts, speaks_for
from nfmasq.helpers.engine.interfaces import Edit, Entry, HelpedSession, Name, Registry
from nfmasq.helpers.engine.leash import Leash, TookTooLong
from nfmasq.helpers.engine.tally import HelperCounters, Tally
from nfmasq.helpers.kit.base import MOST_UNTAKEN, Dialogue, Reading, Side, longest_of

log = logging.getLogger("nfmasq")


class DialogueReader:
    """Reads all sessions of one engine. leash: calls helpers. called: the helper that was called last."""

    def __init__(self, registry: Registry, enabled: EnabledHelpers, expectations: Expectations) -> None:
        self.leash = Leash()
        self.called = ""
        self._enabled = enabled
        self._expectations = expectations
        self._names = {entry.number: name for name, entry in registry.entries.items()}
        self._tallies = {number: Tally() for number in self._names}
        self._unknown = Tally()
        self._hosts = Hosts()

    def begin(self, session: HelpedSession) -> Dialogue | None:
        """A dialogue for a session that begins; None: its helper is disabled for the host, or failed."""
        entry = self._enabled.entry(session.number)
        if entry is None or not self._enabled.is_enabled_for(entry, session.endpoints.internal[0]):
            return None
        try:
            self.called = entry.name
            known = self._hosts.met(entry, session.endpoints.internal[0], self.leash.call)
            endpoints = session.endpoints if known is None else session.endpoints._replace(host=known)
            return self.leash.call(entry.helper.begin, endpoints)
        except Exception as error:
            self._failed(entry, error)
            return None

    def read(self, session: HelpedSession, side: Side, data: bytes) -> tuple[int, Sequence[Edit], bool]:
        """How many bytes the dialogue is done with, what to write in them, and whether it leaves.

        A dialogue that fails leaves, and all its bytes go; edits that were made before the failure count.
        """
        entry = self._enabled.entry(session.number)
        if entry is None or session.dialogue is None:
            return len(data), (), True
        tally = self.tally(session.number)
        tally.readings += 1
        self.called = entry.name
        edits: list[Edit] = []
        try:
            reading = trust.checked(self.leash.call(session.dialogue.read, side, data), len(data))
            if _asks_for_more(reading):
                others = speaks_for(entry, session.endpoints.internal[0])
                speaker = trust.Speaker(side, session.name, session.endpoints, session.number, others)
                trust.act_on(
                    reading,
                    edits,
                    speaker=speaker,
                    expectations=self._expectations,
                    tally=tally,
                    write=self.leash.call,
                )
        except Exception as error:
            self._failed(entry, error)
            return len(data), edits, True
        return reading.taken, edits, reading.leave

    def is_disabled(self, session: HelpedSession) -> bool:
        """Is a session's helper disabled for its internal host?"""
        entry = self._enabled.entry(session.number)
        return entry is None or not self._enabled.is_enabled_for(entry, session.endpoints.internal[0])

    def longest_of(self, session: HelpedSession) -> int:
        """Bytes of one side that a session's dialogue may leave untaken."""
        entry = self._enabled.entry(session.number)
        return MOST_UNTAKEN if entry is None else longest_of(entry.helper)

    def note_of(self, name: Name) -> object:
        """What the dialogue of a session that was announced is told."""
        return self._expectations.note_of(name)

    def knows(self, number: int) -> bool:
        """Is there a helper of this number?"""
        return self._enabled.entry(number) is not None

    def tally(self, number: int) -> Tally:
        """The tally of the helper with this number; of an unknown one, a tally that is never shown."""
        tally = self._tallies.get(number)
        return self._new_tally(number) if tally is None else tally

    def counters(self) -> dict[str, HelperCounters]:
        """What was counted of each helper, by its name."""
        return {self._names[number]: tally.counters() for number, tally in list(self._tallies.items())}

    def _new_tally(self, number: int) -> Tally:
        entry = self._enabled.entry(number)
        if entry is None:
            return self._unknown
        self._names[number] = entry.name
        self._tallies[number] = Tally()
        return self._tallies[number]

    def _failed(self, entry: Entry, error: Exception) -> None:
        name, tally = entry.name, self.tally(entry.number)
        tally.errors += 1
        if is_worth_a_line(tally.errors):
            what = f"{type(error).__name__}: {error}"
            log.warning("the helper %s left a session it failed on (%d so far): %s", name, tally.errors, what)
        if isinstance(error, TookTooLong):
            self._enabled.count_cut_off(name)


def _asks_for_more(reading: Reading) -> bool:
    """Is there more to do than to take bytes?"""
    return bool(
        reading.found
        or reading.not_acted_on
        or reading.admitted
        or reading.ended
        or reading.hold_s
        or reading.remember
    )


def is_worth_a_line(count: int) -> bool:
    """Is this the first error, the second, the fourth, …? Traffic must not fill the log."""
    return count & (count - 1) == 0
