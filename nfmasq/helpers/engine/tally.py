"""Counters of each helper.

What is stored: a `Tally` for each helper, from the start of the engine to its end. The engine's thread alone
writes it; any thread may copy it (`counters`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nfmasq.helpers.kit.base import REFUSALS


@dataclass(frozen=True)
class HelperCounters:
    """One helper's counts since the start; `sessions` are those of now.

    seen: messages with an endpoint; each of them was rewritten, not acted on (`refused`, by reason), or only
    read. errors: calls that failed. readings, seconds: calls of `read`, and the time of all packets.
    """

    sessions: int = 0
    seen: int = 0
    rewritten: int = 0
    errors: int = 0
    refused: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(REFUSALS, 0))
    readings: int = 0
    seconds: float = 0.0

    def by_result(self) -> dict[str, int]:
        """Messages by their result; the keys are the label `result` of the metric."""
        return {
            "seen": self.seen,
            "rewritten": self.rewritten,
            "refused": sum(self.refused.values()),
            "error": self.errors,
        }


class Tally:
    """The counters of one helper while they grow."""

    __slots__ = ("errors", "readings", "refused", "rewritten", "seconds", "seen", "sessions")

    def __init__(self) -> None:
        self.sessions = self.seen = self.rewritten = self.errors = self.readings = 0
        self.refused = dict.fromkeys(REFUSALS, 0)
        self.seconds = 0.0

    def refuse(self, reasons: Iterable[str]) -> None:
        """Count messages that are not acted on. An unknown reason counts as "not_allowed": a closed set."""
        for reason in reasons:
            self.seen += 1
            self.refused[reason if reason in self.refused else "not_allowed"] += 1

    def counters(self) -> HelperCounters:
        """A copy of the counters."""
        return HelperCounters(
            sessions=self.sessions,
            seen=self.seen,
            rewritten=self.rewritten,
            errors=self.errors,
            refused=dict(self.refused),
            readings=self.readings,
            seconds=self.seconds,
        )
