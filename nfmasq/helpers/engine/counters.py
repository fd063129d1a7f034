"""What the engine counts of each helper."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nfmasq.helpers.kit.base import REFUSALS


@dataclass(frozen=True)
class HelperCounters:
    """One helper's, since the start; sessions: now."""

    sessions: int = 0
    seen: int = 0
    rewritten: int = 0
    errors: int = 0
    refused: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(REFUSALS, 0))
    readings: int = 0
    seconds: float = 0.0

    def by_result(self) -> dict[str, int]:
        """Messages by what became of them."""
        return {
            "seen": self.seen,
            "rewritten": self.rewritten,
            "refused": sum(self.refused.values()),
            "error": self.errors,
        }
