"""A reading of a measure: its figures, and the meaning of each."""

from dataclasses import dataclass, field


class BenchError(Exception):
    """Something could not be measured; the text is one line that says why."""


class Unavailable(BenchError):
    """A variant cannot be had on this machine; the text says why, and what to install."""


@dataclass(frozen=True)
class Figure:
    """The meaning of a number. `name` as in JSON, `title` and `unit` as in tables; value = number x unit."""

    name: str
    title: str
    unit: str
    scale: float = 1
    """One unit in the units of readings: packets, bits or connections a second, or seconds."""
    more_is_better: bool = True

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


@dataclass(frozen=True)
class Reading:
    """One round's figures of one measure, by name; extra: what else was counted."""

    values: dict[str, float]
    extra: dict[str, float] = field(default_factory=dict)


def digits(number: float) -> str:
    """Three digits, or all that are before the point: 0.0123, 1.23, 12.3, 1234."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
