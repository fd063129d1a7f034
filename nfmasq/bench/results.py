"""The results: readings, their medians and ratios.

What is stored: every reading of every round. `rounds.run` alone adds to it; all else is arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from nfmasq.bench import datagrams
from nfmasq.bench.reading import Figure, Reading
from nfmasq.bench.variants import FLOOR, MASQUERADE, NFMASQ, REWRITING_FLOOR, SCAPY, Variant

AGAINST = (FLOOR, REWRITING_FLOOR, MASQUERADE, SCAPY)
"""The variants that nfmasq is compared with."""

UNPACED = 0.98
"""A queue program that delivers this much of what it is offered was not offered enough."""


@dataclass(frozen=True)
class Ratio:
    """nfmasq's median over another variant's; lowest, highest: of the rounds, each by itself."""

    value: float
    lowest: float
    highest: float


def ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Ratio | None:
    """Compare two variants round by round; None where one of them has no reading, or reads nothing."""
    pairs = [(our, their) for our, their in zip(ours, theirs, strict=True) if our is not None and their]
    if not pairs:
        return None
    each = [our / their for our, their in pairs]
    return Ratio(median(our for our, _ in pairs) / median(their for _, their in pairs), min(each), max(each))


@dataclass
class Results:
    """All readings; `failures`: one line for each that could not be taken."""

    variants: tuple[Variant, ...]
    figures: tuple[Figure, ...]
    failures: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Variants that could not be had at all, by name, and why."""
    why: dict[tuple[str, str], str] = field(default_factory=dict)
    """The last reason for which a figure could not be read, by its name and the variant's."""
    counted: dict[str, dict[str, object]] = field(default_factory=dict)
    """The counters of the routers' programs, by the name of their variant."""
    _readings: dict[tuple[str, str], list[Reading | None]] = field(default_factory=dict)

    def add(self, figures: Sequence[Figure], variant: Variant, reading: Reading | None) -> None:
        """One round's reading of these figures; None for one that failed."""
        for figure in figures:
            self._readings.setdefault((figure.name, variant.name), []).append(reading)

    def fail(self, figures: Sequence[Figure], variant: Variant, reason: str) -> None:
        """Say why a reading of these figures could not be taken."""
        self.failures.append(f"{figures[0].title}, {variant.title}: {reason}")
        for figure in figures:
            self.why[figure.name, variant.name] = reason

    def rounds(self, figure: Figure, variant: Variant) -> list[float | None]:
        """The figure in every round so far; None where it could not be read, or the variant has none."""
        readings = self._readings.get((figure.name, variant.name), [])
        return [None if reading is None else reading.values.get(figure.name) for reading in readings]

    def median(self, figure: Figure, variant: Variant) -> float | None:
        """The median of the rounds that have one."""
        taken = [value for value in self.rounds(figure, variant) if value is not None]
        return median(taken) if taken else None

    def spread(self, figure: Figure, variant: Variant) -> tuple[float, float]:
        """The lowest and the highest of the rounds that have one, of which there must be one."""
        taken = [value for value in self.rounds(figure, variant) if value is not None]
        return min(taken), max(taken)

    def ratio(self, figure: Figure, against: Variant, ours: Variant = NFMASQ) -> Ratio | None:
        """One variant's figure over another's; None where one of the two is not measured."""
        pair = self.rounds(figure, ours), self.rounds(figure, against)
        return ratio(*pair) if all(pair) else None

    def extra(self, figure: Figure, variant: Variant) -> dict[str, float]:
        """The medians of what the readings hold besides."""
        readings = [r for r in self._readings.get((figure.name, variant.name), []) if r is not None]
        return {
            name: median(reading.extra[name] for reading in readings)
            for name in (readings[0].extra if readings else ())
        }

    def notes(self) -> list[str]:
        """Notes that a reader of the figures needs."""
        said = []
        for variant in self.variants:
            delivered, extra = self.median(datagrams.RATE, variant), self.extra(datagrams.RATE, variant)
            if variant.serves and delivered and delivered >= UNPACED * extra["offered"]:
                said.append(
                    f"{variant.title}: all small packets offered were delivered, so the senders set the pace "
                    "and the router can do more"
                )
        titles = {variant.name: variant.title for variant in self.variants}
        said += [f"{titles[name]}: left out: {reason}" for name, reason in self.skipped.items()]
        return list(dict.fromkeys(said + self.failures))
