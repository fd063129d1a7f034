"""Counters of each helper.

What is stored: a `Tally` for each helper, from the start of the engine to its end. The engine's thread alone
writes it; any thread may copy it (`counters`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nfmasq.helpers.kit.base import NOT_ACTED_ON


@dataclass(frozen=True)
class HelperCounters:
    """One helper's counts since the start."""

    sessions: int = 0
    """Sessions it reads now."""
    seen: int = 0
    """Messages with an endpoint: each was rewritten, not acted on, or only read."""
    rewritten: int = 0
    errors: int = 0
    """Calls that failed."""
    not_acted_on: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(NOT_ACTED_ON, 0))
    """By reason."""
    readings: int = 0
    """Calls of `read`."""
    seconds: float = 0.0
    """The time of all packets."""

    def by_result(self) -> dict[str, int]:
        """Messages by their result; the keys are the label `result` of the metric; refused: not acted on."""
        return {
            "seen": self.seen,
            "rewritten": self.rewritten,
            "refused": sum(self.not_acted_on.values()),
            "error": self.errors,
        }


class Tally:
    """The counters of one helper while they grow."""

    __slots__ = ("errors", "not_acted_on", "readings", "rewritten", "seconds", "seen", "sessions")

    def __init__(self) -> None:
        self.sessions = self.seen = self.rewritten = self.errors = self.readings = 0
        self.not_acted_on = dict.fromkeys(NOT_ACTED_ON, 0)
        self.seconds = 0.0

    def count_not_acted_on(self, reasons: Iterable[str]) -> None:
        """Count messages that are not acted on. An unknown reason counts as "not_allowed": a closed set."""
        for reason in reasons:
            self.seen += 1
            self.not_acted_on[reason if reason in self.not_acted_on else "not_allowed"] += 1

    def counters(self) -> HelperCounters:
        """A copy of the counters."""
        return HelperCounters(
            sessions=self.sessions,
            seen=self.seen,
            rewritten=self.rewritten,
            errors=self.errors,
            not_acted_on=dict(self.not_acted_on),
            readings=self.readings,
            seconds=self.seconds,
        )
