"""The helpers' engine in a running daemon: told of every turn of a switch, and watched.

What is stored: the engine from the making to `stop`; the switches it was told last, written by the daemon's
hand alone; its beats at the last look. An engine that fails or hangs is a problem in the status and never the
end of the daemon: the switches are then off, so that new sessions pass without a helper.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from nfmasq._fastpath import Table
from nfmasq.helpers.board import Entry, Switchboard
from nfmasq.helpers.counters import HelperCounters
from nfmasq.helpers.engine import Engine
from nfmasq.helpers.switches import Switch
from nfmasq.policy import HelperPort

LOOKS = 4
"""Looks in a row, half a second apart or more, without a turn, until it counts as stuck."""


class Helping:
    """The engine of one table, which follows one switchboard."""

    def __init__(self, table: Table, board: Switchboard) -> None:
        self.board = board
        self._engine = Engine(table, board)
        self._told: Mapping[str, Entry] = board.entries
        self._beats, self._still = -1, 0

    def ports(self, internal: Iterable[IPv4Network]) -> tuple[HelperPort, ...]:
        """What the core gives to helpers: nothing while nobody would read it."""
        return () if self._engine.failure or self._is_stuck else self.board.ports(internal)

    def start(self) -> None:
        """Begin to read packets."""
        self._engine.start()

    def stop(self) -> None:
        """Let all packets go and end. Harmless when never started."""
        self._engine.stop()

    def follow(self) -> None:
        """Tell the engine which switches were turned since it was told last."""
        entries = self.board.entries
        for name, entry in entries.items():
            before = self._told[name].switch if name in self._told else None
            if entry.switch != before:
                self._turn(name, entry.switch)
        self._told = entries

    def counters(self) -> Mapping[str, HelperCounters]:
        """What each helper has counted, by its name."""
        return self._engine.counters()

    def beat(self) -> None:
        """Look once whether it still turns."""
        beats = self._engine.beats
        self._still = self._still + 1 if beats == self._beats else 0
        self._beats = beats

    def problems(self) -> list[str]:
        """What is wrong with it."""
        if self._engine.failure:
            return [f"the helpers' engine failed: {self._engine.failure}; sessions pass without helpers"]
        if self._is_stuck:
            return ["the helpers' engine is stuck; new sessions pass without helpers"]
        return [self.board.problem] if self.board.problem else []

    @property
    def _is_stuck(self) -> bool:
        return self._still >= LOOKS

    def _turn(self, name: str, switch: Switch) -> None:
        self._engine.switch(name, switch.everywhere)
        for network, on in reversed(switch.networks):  # the widest first
            self._engine.switch(name, on, network)
