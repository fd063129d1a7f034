"""What the figures look like to programs and on a terminal."""

import json
import re

import click

from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan
from perf.memory import Memory
from perf.outcome import Outcome
from perf.report import as_json
from perf.text import as_text

OUTCOME = Outcome(
    Plan((), (), rounds=2, seconds=1, workers=1, senders=2),
    Results((), ()),
    Memory(idle=50_000_000),
    notes=("a note",),
)


def test_the_json_has_what_is_measured_besides_in_base_units() -> None:
    report = json.loads(json.dumps(as_json(OUTCOME)))
    assert report["schema"] == 1
    assert report["memory"]["idle_bytes"] == 50_000_000
    assert report["notes"] == ["a note"]
    assert report["targets"] == [
        {
            "figure": "idle",
            "variant": "nfmasq",
            "against": None,
            "at_most": 60,
            "value": 50.0,
            "verdict": "ok",
        }
    ]


def test_a_terminal_shows_targets_and_notes() -> None:
    lines = [re.sub(" +", " ", click.unstyle(line)).strip() for line in as_text(OUTCOME)]
    assert "ok resident memory, idle, MB 50 at most 60" in lines
    assert "note: a note" in lines
