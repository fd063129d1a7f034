"""What the figures look like to programs and to people."""

import json
import re

import click
import pytest

from nfmasq.bench import datagrams
from nfmasq.bench.reading import Reading, digits
from nfmasq.bench.report import as_json
from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan
from nfmasq.bench.tables import as_text
from nfmasq.bench.targets import judge
from nfmasq.bench.variants import FLOOR, NFMASQ

PLAN = Plan((FLOOR, NFMASQ), (), rounds=2, seconds=1, workers=1, senders=2)


def _results() -> Results:
    results = Results((FLOOR, NFMASQ), (datagrams.RATE,))
    for floor, nfmasq in ((200_000.0, 150_000.0), (300_000.0, 250_000.0)):
        results.add((datagrams.RATE,), FLOOR, Reading({"small-packets": floor}, {"offered": 400_000.0}))
        results.add((datagrams.RATE,), NFMASQ, Reading({"small-packets": nfmasq}, {"offered": 400_000.0}))
    return results


def test_the_json_has_every_round_in_base_units() -> None:
    report = json.loads(json.dumps(as_json(PLAN, _results(), judge(_results()))))
    assert report["schema"] == 1
    assert report["method"] == {"rounds": 2, "seconds": 1, "workers": 1, "queues": 1, "senders": 2}
    assert report["figures"][0] == {
        "figure": "small-packets",
        "variant": "floor",
        "median": 250_000.0,
        "rounds": [200_000.0, 300_000.0],
        "offered": 400_000.0,
    }
    assert report["ratios"] == [
        {"figure": "small-packets", "against": "floor", "value": 0.8, "lowest": 0.75, "highest": 250 / 300}
    ]
    (small,) = report["targets"]
    assert small == {
        "figure": "small-packets",
        "variant": "nfmasq",
        "against": "floor",
        "at_least": 0.95,
        "value": 0.8,
        "verdict": "short",
    }


def test_the_tables_show_figures_ratios_and_marks() -> None:
    told = as_text(PLAN, _results(), list(judge(_results())))
    lines = [re.sub(" +", " ", click.unstyle(line)).strip() for line in told]
    assert "small packets 250 200 kpps" in lines
    assert "small packets 0.8" in lines
    assert "short small packets / floor 0.8 at least 0.95 rounds 0.75 to 0.833" in lines


def test_a_failure_is_said_below_the_tables() -> None:
    results = _results()
    results.failures.append("small packets, plain: why")
    assert "note: small packets, plain: why" in list(as_text(PLAN, results, []))


@pytest.mark.parametrize(
    ("number", "shown"), [(0.01234, "0.0123"), (1.234, "1.23"), (99.96, "100"), (12345.6, "12346"), (0, "0")]
)
def test_three_digits_or_all_before_the_point(number: float, shown: str) -> None:
    assert digits(number) == shown
