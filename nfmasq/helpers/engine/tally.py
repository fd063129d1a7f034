"""What the engine counts of one helper, as it counts it."""

from collections.abc import Iterable

from nfmasq.helpers.engine.counters import HelperCounters
from nfmasq.helpers.kit.base import REFUSALS


class Tally:
    """Written by the engine's thread alone; anybody may look."""

    __slots__ = ("errors", "readings", "refused", "rewritten", "seconds", "seen", "sessions")

    def __init__(self) -> None:
        self.sessions = self.seen = self.rewritten = self.errors = self.readings = 0
        self.refused = dict.fromkeys(REFUSALS, 0)
        self.seconds = 0.0

    def refuse(self, reasons: Iterable[str]) -> None:
        """Count messages left as they are. An unknown reason counts as not allowed: the set is closed."""
        for reason in reasons:
            self.seen += 1
            self.refused[reason if reason in self.refused else "not_allowed"] += 1

    def counters(self) -> HelperCounters:
        """As it stands."""
        return HelperCounters(
            sessions=self.sessions,
            seen=self.seen,
            rewritten=self.rewritten,
            errors=self.errors,
            refused=dict(self.refused),
            readings=self.readings,
            seconds=self.seconds,
        )
