"""The measures, in the order in which a round takes them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nfmasq.bench import bulk, connections, datagrams, pingpong, segments
from nfmasq.bench.bed import Bed
from nfmasq.bench.reading import Figure, Reading
from nfmasq.bench.variants import Variant


@dataclass(frozen=True)
class Measure:
    """Something to measure: its name on the command line, the figures it gives, and how to take it once."""

    name: str
    figures: tuple[Figure, ...]
    take: Callable[[Bed, float], Reading]
    only: tuple[Variant, ...] = ()
    """The variants it is taken of; none: all."""
    lasts: int = 1
    """It takes so many times as long as was asked for."""

    def fits(self, variant: Variant) -> bool:
        """Is it taken of this variant?"""
        return not self.only or variant in self.only


MEASURES = (
    Measure("small-packets", datagrams.FIGURES, datagrams.take),
    *(Measure(figure.name, (figure,), partial(bulk.take, figure)) for figure in bulk.OPTIONS),
    Measure("udp-gso-up", (segments.UP,), segments.take_up),
    Measure("udp-gso-down", (segments.DOWN,), segments.take_down),
    Measure("connections", connections.FIGURES, connections.take),
    Measure("round-trip", pingpong.FIGURES, pingpong.take),
)
"""Taken unless others are asked for."""
