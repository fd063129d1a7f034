"""The report as a page, and its plots."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nfmasq.bench import datagrams
from nfmasq.bench.reading import Reading
from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan
from nfmasq.bench.variants import FLOOR, NFMASQ
from perf import overload, page, plots
from perf.instructions import Counts
from perf.memory import Memory, TableCost
from perf.outcome import Outcome
from perf.plots import Bar
from perf.variants import MILLION, ONE_WORKER, PASTA, TAYGA, TWO_WORKERS

VARIANTS = (FLOOR, NFMASQ, MILLION, ONE_WORKER, TWO_WORKERS, PASTA, TAYGA)
CURVE = tuple(TableCost(size, 190.0, 300, size / 1e3, 40, 60) for size in (1000, 1_000_000))
SVG = "{http://www.w3.org/2000/svg}"


def _results() -> Results:
    results = Results(VARIANTS, (datagrams.RATE,))
    for rates in ((200e3, 190e3, 180e3, 190e3, 195e3), (300e3, 290e3, 270e3, 280e3, 285e3)):
        for variant, rate in zip(VARIANTS, rates, strict=False):
            results.add((datagrams.RATE,), variant, Reading({"small-packets": rate}, {"offered": 4e5}))
    results.add((datagrams.RATE,), PASTA, None)
    results.fail((datagrams.RATE,), PASTA, "it lost its way")
    results.skipped["tayga"] = "tayga not found: apt-get install tayga"
    results.counted["nfmasq-2"] = {"packets": 100, "batches": 10, "locked_ns": 5000, "waited_ns": 700}
    return results


@pytest.fixture
def text(tmp_path: Path) -> str:
    plan = Plan(VARIANTS, (), rounds=2, seconds=1, workers=1, senders=2)
    counts = Counts("GCC", {"udp-out": 551.0})
    memory = Memory(50_000_000, CURVE[-1])
    page.write(Outcome(plan, _results(), memory, counts, CURVE, ("a note",)), tmp_path / "speed.md")
    return (tmp_path / "speed.md").read_text(encoding="utf-8")


def _row(text: str, first: str) -> list[str]:
    """The cells after the first, of the last row that begins so."""
    rows: list[str] = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", text, re.MULTILINE)
    return rows[-1].strip().split(" | ")


def test_a_way_has_its_median_and_its_spread(text: str) -> None:
    assert "| floor | 250 (200 to 300) |" in text


def test_what_could_not_be_had_is_a_row_with_its_reason(text: str) -> None:
    assert _row(text, "tayga") == ["left out"]
    assert "- tayga: left out: tayga not found: apt-get install tayga" in text
    assert _row(text, "pasta") == ["it lost its way"]


def test_a_way_that_has_none_of_the_figures_has_no_row(tmp_path: Path) -> None:
    results = Results((FLOOR, NFMASQ), (overload.KEPT,))
    results.add((overload.KEPT,), NFMASQ, Reading({"overload-kept": 0.9}))
    plan = Plan((FLOOR, NFMASQ), (), rounds=1, seconds=1, workers=1, senders=2)
    page.write(Outcome(plan, results, Memory()), tmp_path / "page.md")
    section = (tmp_path / "page.md").read_text(encoding="utf-8").partition("## Overload")[2]
    assert "| nfmasq | 0.9 |" in section
    assert "| floor |" not in section
    assert "|  | least delivered in overload / peak |" in section


def test_a_million_sessions_and_workers_stand_beside_what_they_are_compared_with(text: str) -> None:
    assert "| small packets, kpps | 240 (190 to 290) | 225 (180 to 270) | 0.938 |" in text
    assert "| small packets, kpps | 235 (190 to 280) | 240 (195 to 285) | 1.02 |" in text
    assert _row(text, "nfmasq, 2 workers") == ["10", "50", "7"]
    assert _row(text, "nfmasq, 1 worker") == ["-", "-", "-"], "not counted is not nothing"


def test_targets_stand_with_their_marks(text: str) -> None:
    assert "| small packets / floor | 0.96 | ≥ 0.95 | 0.95 to 0.967 | ok |" in text
    assert "| bytes a session | 190 | ≤ 200 |  | ok |" in text


def test_the_table_by_itself_has_a_row_for_each_size(text: str) -> None:
    assert _row(text, "1,000") == ["60", "1", "-"], "a small table says nothing about a session's bytes"
    assert _row(text, "1,000,000") == ["60", "1000", "190"]
    assert _row(text, "UDP, 64 bytes, out") == ["551"]
    assert text.endswith("- a note\n")


def test_every_plot_that_is_shown_is_there_and_no_other(text: str, tmp_path: Path) -> None:
    shown = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert sorted(shown) == ["speed/small-packets.svg", "speed/table.svg"]
    assert sorted(path.name for path in (tmp_path / "speed").iterdir()) == ["small-packets.svg", "table.svg"]
    for path in shown:
        ElementTree.parse(tmp_path / path)


def _drawn(svg: str, kind: str) -> list[dict[str, str]]:
    return [dict(element.attrib) for element in ElementTree.fromstring(svg).iter(SVG + kind)]


def test_bars_are_as_long_as_their_values() -> None:
    svg = plots.bars(
        "a < b", [Bar("one", 50.0, "50"), Bar("two", 100.0, "100", (80.0, 200.0)), Bar("none", None, "why")]
    )
    one, two = _drawn(svg, "rect")
    assert float(two["width"]) == 2 * float(one["width"])
    spread = _drawn(svg, "line")[0]
    assert float(spread["x2"]) - float(spread["x1"]) == pytest.approx(1.2 * float(two["width"]), abs=0.3)
    assert "why" in svg


def test_a_bar_of_nothing_is_no_division_by_it() -> None:
    assert _drawn(plots.bars("x", [Bar("one", 0.0, "0")]), "rect")[0]["width"] == "0.0"


def test_lines_go_up_where_values_do() -> None:
    svg = plots.lines("x", "sessions", {"cost": [(1000, 1.0), (10_000, 2.0), (1_000_000, 4.0)]})
    places = [tuple(map(float, pair.split(","))) for pair in _drawn(svg, "polyline")[0]["points"].split()]
    across, down = zip(*places, strict=True)
    assert across[2] - across[1] == pytest.approx(2 * (across[1] - across[0]), abs=0.3), "logarithmic"
    assert down[0] > down[1] > down[2]
