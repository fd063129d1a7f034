"""The helpers' engine in a running daemon: it follows the switchboard, and is watched.

What is stored: the board; the engine, when one was replaced last and how many were; its beats at the last
look; which helpers hung. The daemon's hand calls what changes anything; anybody may ask. An engine that fails
is a problem in the status and never the end of the translation: another takes its place, and the connections
it read go on without a helper. So it is with one that hangs in a helper, which is switched off. While none
turns, and after too many failures, the core gets no rows: new sessions pass without helpers.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from nfmasq._fastpath import Table
from nfmasq.config import Config
from nfmasq.core.policy import HelperPort
from nfmasq.helpers.engine.counters import HelperCounters
from nfmasq.helpers.engine.thread import Engine
from nfmasq.runtime.helpers import Entry, Switchboard

LOOKS = 4
"""Looks in a row, half a second apart or more, without a turn, until it counts as stuck."""
MOST_FAILURES = 3
"""Engines that may take the place of one another."""
RECENT_S = 300
"""How long a failure that was mended counts as a problem."""

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
        """Begin to read packets."""
        self._engine.start()

    def stop(self) -> None:
        """Answer what is there, and end. Harmless when never started."""
        self._engine.stop()

    def adopt(self, config: Config) -> None:
        """Set all helpers as a configuration says."""
        self.board.adopt(config)
        for name, entry in self.board.entries.items():
            self._engine.turn(name, entry.switch)

    def turn(self, name: str, enabled: bool, network: IPv4Network | None) -> Entry:
        """Switch a helper, as `Switchboard.turn` does and with what it raises."""
        entry = self.board.turn(name, enabled, network)
        self._hung.discard(name)
        self._engine.turn(name, entry.switch)
        return entry

    def ports(self, internal: Iterable[IPv4Network]) -> tuple[HelperPort, ...]:
        """What the core gives to helpers, nothing while nobody would read it; mends what failed first."""
        if self._failures < MOST_FAILURES:
            if self._engine.failure:
                self._replace(self._engine.failure)
            elif name := self._engine.hangs_in:
                self._hung.add(name)
                self.board.turn(name, False, None)
                self._replace(f"the helper {name} does not return; it is switched off")
        for name, state in self._engine.states().items():
            if state.problem and self.board.entries[name].switch.anywhere:
                self.board.turn(name, False, None)
        return () if self._engine.failure or self._is_stuck else self.board.ports(internal)

    def counters(self) -> Mapping[str, HelperCounters]:
        """What each helper has counted, by its name."""
        return self._engine.counters()

    def expectations(self) -> int:
        """How many announced sessions nobody has come to yet."""
        return self._engine.expectations()

    def beat(self) -> None:
        """Look once whether the engine still turns."""
        beats = self._engine.beats
        self._still = self._still + 1 if beats == self._beats else 0
        self._beats = beats

    def problems(self) -> list[str]:
        """What keeps helpers from working, a line each."""
        lines = [
            f"the helper {name} is off: {state.problem}"
            for name, state in self._engine.states().items()
            if state.problem
        ] + [f"the helper {name} is off: it did not return from a call" for name in sorted(self._hung)]
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
