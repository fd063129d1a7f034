"""The row of a metric, the ways its values are read from a scrape, and the family made of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from nfmasq.control.report import DIRECTIONS
from nfmasq.core.policy import TRANSPORTS
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.web.scrape import Queues, Scrape


class Kind(Enum):
    """A kind of metric. A counter's exposed name ends in _total, an info's in _info."""

    COUNTER = CounterMetricFamily
    GAUGE = GaugeMetricFamily
    INFO = InfoMetricFamily
    SUMMARY = SummaryMetricFamily


Value = float | tuple[float, float] | Mapping[str, str]
"""A number; for a summary the count and the sum; for an info its labels."""
Samples = Iterable[tuple[tuple[str, ...], Value]]
"""The values of a metric's labels, with its value."""
Reader = Callable[[Scrape], Samples]


class MetricRow(NamedTuple):
    """One metric. read: all combinations of label values, each with its value."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...]
    read: Reader


def counter(name: str, about: str, labels: tuple[str, ...], read: Reader) -> MetricRow:
    """A row of a counter; the name is without its ending _total."""
    return MetricRow(name, Kind.COUNTER, about, labels, read)


def gauge(name: str, about: str, labels: tuple[str, ...], read: Reader) -> MetricRow:
    """A row of a gauge."""
    return MetricRow(name, Kind.GAUGE, about, labels, read)


def families(rows: Iterable[MetricRow], seen: Scrape) -> Iterator[Metric]:
    """A family for each row."""
    for row in rows:
        family = row.kind.value(row.name, row.about, labels=row.labels)
        for labels, value in row.read(seen):
            if isinstance(family, SummaryMetricFamily):
                family.add_metric(labels, *value)  # type: ignore[misc]  # the count and the sum
            else:
                family.add_metric(labels, value)
        yield family


def one(read: Callable[[Scrape], Value]) -> Reader:
    """A metric without labels."""
    return lambda seen: [((), read(seen))]


def by_protocol(read: Callable[[Scrape], Sequence[int]]) -> Reader:
    """read: numbers indexed as TRANSPORTS."""
    return lambda seen: named(TRANSPORTS, read(seen))


def by_direction(read: Callable[[Scrape], Sequence[Sequence[int]]]) -> Reader:
    """read: numbers indexed [direction][protocol]."""
    return lambda seen: [
        ((direction, protocol), count)
        for direction, row in zip(DIRECTIONS, read(seen), strict=True)
        for protocol, count in zip(TRANSPORTS, row, strict=True)
    ]


def by_queue(read: Callable[[Queues], float]) -> Reader:
    """The label is the number of a worker's first queue."""
    return lambda seen: [((str(queues.number),), read(queues)) for queues in seen.queues]


def by_helper(read: Callable[[HelperCounters], Value]) -> Reader:
    """A value for each helper."""
    return lambda seen: [((name,), read(own)) for name, (_, own) in seen.helpers.items()]


def of_helpers(read: Callable[[HelperCounters], Iterable[tuple[str, int]]]) -> Reader:
    """read: label values with their numbers, for one helper."""
    return lambda seen: [
        ((name, word), count) for name, (_, own) in seen.helpers.items() for word, count in read(own)
    ]


def named(names: Sequence[str], numbers: Sequence[int]) -> Samples:
    """Numbers in the order of their label values."""
    return [((name,), number) for name, number in zip(names, numbers, strict=True)]
