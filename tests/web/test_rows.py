"""Every count there is can be scraped: no counter is left out of the metrics."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from support.behind import Bare

from nfmasq._fastpath import QueueCounters
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.machine.queues import KernelQueue
from nfmasq.web.metrics import METRICS
from nfmasq.web.rows import families
from nfmasq.web.scrape import Queues, Scrape, scrape

NUMBERS = count(1_000_003)
"""Numbers no other count has."""

IN_ONE_METRIC = ("dropped", "dropped_at_socket")
"""The kernel's two counts of dropped packets are one metric: their sum."""


def numbered(value: Any) -> Any:
    """The same with another number in each place."""
    if isinstance(value, tuple):
        parts = [numbered(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return next(NUMBERS)


def numbers(value: Any) -> Iterator[int]:
    """The numbers in all places."""
    if isinstance(value, tuple):
        for part in value:
            yield from numbers(part)
    else:
        yield value


def scraped(seen: Scrape) -> set[float]:
    """The values of all samples."""
    return {sample.value for family in families(METRICS, seen) for sample in family.samples}


@pytest.fixture
def seen(running: Bare) -> Scrape:
    """A scrape of a daemon without workers."""
    return scrape(running)


def missing(names: Iterable[str], counted: Iterable[Any], values: set[float]) -> set[str]:
    """The names of counts that have no sample."""
    return {
        name
        for name, part in zip(names, counted, strict=True)
        if not all(number in values for number in numbers(part))
    }


def test_every_counter_of_the_table_is_in_a_metric(seen: Scrape) -> None:
    counters, gauges = numbered(seen.counters), numbered(seen.gauges)
    values = scraped(replace(seen, counters=counters, gauges=gauges))
    assert missing(counters._fields, counters, values) == set()
    assert missing(gauges._fields, gauges, values) == set()


def test_every_counter_of_a_worker_and_its_queues_is_in_a_metric(seen: Scrape) -> None:
    own, kernel = (
        numbered(QueueCounters(*[0] * len(QueueCounters._fields))),
        numbered(KernelQueue(0, 0, 0, 0)),
    )
    values = scraped(replace(seen, queues=[Queues(100, own, kernel)]))
    assert missing(own._fields, own, values) == set()
    assert missing(kernel._fields, kernel, values) == {"holder", *IN_ONE_METRIC}
    assert kernel.dropped + kernel.dropped_at_socket in values


def test_every_counter_of_a_helper_is_in_a_metric(seen: Scrape) -> None:
    entry, _ = seen.helpers["ftp"]
    fresh = HelperCounters()
    not_acted_on = {reason: next(NUMBERS) for reason in fresh.not_acted_on}
    plain = {name: next(NUMBERS) for name in vars(fresh) if name != "not_acted_on"}
    values = scraped(
        replace(seen, helpers={"ftp": (entry, HelperCounters(**plain, not_acted_on=not_acted_on))})
    )
    assert {name for name, number in {**plain, **not_acted_on}.items() if number not in values} == set()
