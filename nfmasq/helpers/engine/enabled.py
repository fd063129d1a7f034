"""For whom each helper of an engine is enabled: the switches as its thread knows them.

What is stored: a switch for each helper, and changes that were asked for and not applied yet. Also how many
calls of each helper were cut off, and which helpers are disabled for that. Who writes: whoever holds the
engine's lock; `request` alone needs no lock. What ends a change: it is applied, before the next packet is
read. A helper that was cut off too often stays disabled until somebody sets its switch.

A change ends the dialogues of all hosts for whom the helper is disabled now, and their expectations.
"""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from nfmasq.helpers.engine.expectations import Expectations
from nfmasq.helpers.engine.interfaces import Entry, Registry
from nfmasq.helpers.engine.sessions import Sessions
from nfmasq.helpers.switches import Switch

MOST_CUT_OFF = 5
"""Calls of one helper that took too long, until the helper is disabled."""

log = logging.getLogger("nfmasq")


@dataclass(frozen=True)
class State:
    """How a helper stands. problem: why the engine disabled it, or ""."""

    switch: Switch
    problem: str = ""


class EnabledHelpers:
    """The helpers of one engine. problems: why one is disabled, by name. has_changed: a switch was set."""

    def __init__(self, registry: Registry, sessions: Sessions, expectations: Expectations) -> None:
        self.problems: dict[str, str] = {}
        self.requested: deque[tuple[str, Switch]] = deque()
        self.has_changed = False
        self._registry = registry
        self._sessions = sessions
        self._expectations = expectations
        self._numbered: tuple[Mapping[str, Entry], dict[int, Entry]] = {}, {}
        self._switches = {name: entry.switch for name, entry in registry.entries.items()}
        self._cut_off: dict[str, int] = {}

    def entry(self, number: int) -> Entry | None:
        """The helper of this number, as it is set now; None where there is none."""
        entries, by_number = self._numbered
        if entries is not self._registry.entries:
            entries = self._registry.entries
            by_number = {entry.number: entry for entry in entries.values()}
            self._numbered = entries, by_number
        return by_number.get(number)

    def is_enabled_for(self, entry: Entry, host: IPv4Address) -> bool:
        """Is this helper enabled for this internal host?"""
        return self._switches.get(entry.name, entry.switch).enabled_for(host)

    def switch(self, name: str) -> Switch:
        """The switch of a helper; an unknown helper is disabled."""
        return self._switches.get(name, Switch(False))

    def request(self, name: str, switch: Switch) -> None:
        """Ask for a switch to be set, from any thread."""
        self.requested.append((name, switch))

    def apply(self) -> None:
        """Set all switches that were asked for; a helper's problem ends with it."""
        while self.requested:
            name, switch = self.requested.popleft()
            self._set(name, switch)
            self.problems.pop(name, None)
            self._cut_off.pop(name, None)

    def count_cut_off(self, name: str) -> None:
        """A call of this helper was cut off: too many of them disable it."""
        self._cut_off[name] = self._cut_off.get(name, 0) + 1
        if self._cut_off[name] >= MOST_CUT_OFF:
            self.problems[name] = "it took too long again and again"
            log.error("the helper %s took too long %d times: it is disabled", name, MOST_CUT_OFF)
            self._set(name, Switch(False))

    def states(self) -> dict[str, State]:
        """How each helper stands, by its name."""
        return {
            name: State(switch, self.problems.get(name, "")) for name, switch in list(self._switches.items())
        }

    def _set(self, name: str, switch: Switch) -> None:
        self._switches[name] = switch
        self.has_changed = True
        for session in self._sessions:
            if self._is_disabled(session.number, session.endpoints.internal[0]):
                session.leave()
        self._expectations.end_where(self._is_disabled)

    def _is_disabled(self, number: int, host: IPv4Address) -> bool:
        entry = self.entry(number)
        return entry is None or not self.is_enabled_for(entry, host)
