"""The helpers' engine in a running daemon: it follows the switchboard, and is watched.

What is stored: the board; the engine, how many engines were replaced and when the last one was; its beats at
the last look; which helpers hung. Who writes: the daemon's control thread; any thread may ask.

What ends an engine: its failure, or a helper that does not return. Another engine takes its place, and the
sessions it read go on without a helper; a helper that did not return is disabled. A failure is a problem in
the status and never ends the translation. While no engine runs, and after too many failures, the core gets no
ports for helpers: new sessions pass without them.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from nfmasq._fastpath import Table
from nfmasq.config import Config
from nfmasq.core.policy import HelperPort
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.helpers.engine.thread import Engine
from nfmasq.runtime.helpers import Entry, Switchboard

LOOKS = 4
"""Looks in a row without a beat, half a second apart or more, until the engine counts as stuck."""
MOST_FAILURES = 3
"""Engines that may be replaced in the life of a daemon."""
RECENT_S = 300
"""How long a failure counts as a problem after the engine was replaced."""

log = logging.getLogger("nfmasq")


class Helping:
    """The helpers of one table."""

    def __init__(self, config: Config, table: Table) -> None:
        self.board = Switchboard(config)
        self._table = table
        self._engine = Engine(table, self.board)
        self._failures = 0
        self._failed_at = 0.0
        self._beats, self._still = -1, 0
        self._hung: set[str] = set()

    def start(self) -> None:
        """Start the engine's thread."""
        self._engine.start()

    def stop(self) -> None:
        """Answer the packets that wait, and end. Harmless when never started."""
        self._engine.stop()

    def adopt(self, config: Config) -> None:
        """Set all helpers as a configuration says."""
        self.board.adopt(config)
        for name, entry in self.board.entries.items():
            self._engine.set_switch(name, entry.switch)

    def set_enabled(self, name: str, enabled: bool, network: IPv4Network | None) -> Entry:
        """Enable or disable a helper; as `Switchboard.set_enabled`, in the engine too."""
        entry = self.board.set_enabled(name, enabled, network)
        self._hung.discard(name)
        self._engine.set_switch(name, entry.switch)
        return entry

    def ports(self, internal: Iterable[IPv4Network]) -> tuple[HelperPort, ...]:
        """Which ports the core gives to helpers; none while no engine runs.

        Replaces an engine that failed, first.
        """
        if self._failures < MOST_FAILURES:
            if self._engine.failure:
                self._replace(self._engine.failure)
            elif name := self._engine.hangs_in:
                self._hung.add(name)
                self.board.set_enabled(name, False, None)
                self._replace(f"the helper {name} does not return; it is disabled")
        for name, state in self._engine.states().items():
            if state.problem and self.board.entries[name].switch.anywhere:
                self.board.set_enabled(name, False, None)
        return () if self._engine.failure or self._is_stuck else self.board.ports(internal)

    def counters(self) -> Mapping[str, HelperCounters]:
        """The counters of each helper, by its name."""
        return self._engine.counters()

    def expectations(self) -> int:
        """How many expectations wait for their session."""
        return self._engine.expectations()

    def beat(self) -> None:
        """Look once whether the engine still runs."""
        beats = self._engine.beats
        self._still = self._still + 1 if beats == self._beats else 0
        self._beats = beats

    def problems(self) -> list[str]:
        """The problems that keep helpers from working, a line each."""
        lines = [
            f"the helper {name} is disabled: {state.problem}"
            for name, state in self._engine.states().items()
            if state.problem
        ] + [f"the helper {name} is disabled: it did not return from a call" for name in sorted(self._hung)]
        if self._engine.failure:
            lines.append(f"{self._engine.failure}; sessions pass without helpers; restart nfmasq")
        elif self._failures and time.monotonic() < self._failed_at + RECENT_S:
            lines.append("the helpers' thread failed and was started again; the log says why")
        elif self._is_stuck:
            stuck = self._engine.hangs_in
            what = f"the helper {stuck} does not return" if stuck else "the helpers' thread is stuck"
            lines.append(f"{what}; new sessions pass without helpers")
        return [*lines, self.board.problem] if self.board.problem else lines

    @property
    def _is_stuck(self) -> bool:
        return self._still >= LOOKS

    def _replace(self, why: str) -> None:
        self._failures += 1
        self._failed_at = time.monotonic()
        self._still = 0
        log.error("%s; the helpers are started again", why)
        self._engine.stop(0.0)
        self._engine = Engine(self._table, self.board, takes_over=True)
        self._engine.start()
