"""Metrics that the pages name are those a daemon serves, and docs/metrics.md has them all."""

import re
from collections.abc import Iterator

import pytest

from docs.metric_rows import rows, scrape, shown
from docs.pages import PAGES, code, name_of
from nfmasq.diversion import guard
from nfmasq.lab.lab import Lab

NO_METRICS = {guard.TABLE, "nfmasq_can", "nfmasq_walkie"}
"""Names that begin like a metric's: the guard's table, and the tutorial's modules."""


@pytest.fixture(scope="module")
def scraped(as_root: None) -> Iterator[list[str]]:
    """What a daemon serves at /metrics, by lines."""
    with Lab() as lab:
        yield scrape(lab)


def test_the_page_has_every_metric_with_its_help(scraped: list[str]) -> None:
    assert shown() == rows(scraped), "renew it: sudo .venv/bin/python tests/docs/metric_rows.py"


def test_metrics_that_are_named_are_served(scraped: list[str]) -> None:
    served = {match for line in scraped for match in re.findall(r"^(?:# TYPE )?(nfmasq_\w+)", line)}
    wrong = {
        f"{name_of(page)}: {name}"
        for page in PAGES
        for text in code(page)
        for name in re.findall(r"\bnfmasq_[a-z_]*[a-z]\b(?!\*)", text)
        if name not in served | NO_METRICS
    }
    assert not wrong
