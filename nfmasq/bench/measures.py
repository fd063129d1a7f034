"""All measures, in the order in which a round takes them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nfmasq.bench import bulk, connections, datagrams, pingpong
from nfmasq.bench.bed import Bed
from nfmasq.bench.reading import Figure, Reading


@dataclass(frozen=True)
class Measure:
    """Something to measure: its name on the command line, the figures it gives, and how to take it once."""

    name: str
    figures: tuple[Figure, ...]
    take: Callable[[Bed, float], Reading]


MEASURES = (
    Measure("small-packets", datagrams.FIGURES, datagrams.take),
    *(Measure(figure.name, (figure,), partial(bulk.take, figure)) for figure in bulk.OPTIONS),
    Measure("connections", connections.FIGURES, connections.take),
    Measure("round-trip", pingpong.FIGURES, pingpong.take),
)
