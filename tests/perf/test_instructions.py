"""Instructions a packet, counted by callgrind: a regression shows on the busiest machine."""

from pathlib import Path

import pytest

from nfmasq.bench.reading import BenchError
from perf import instructions
from perf.instructions import LEAST, MARGIN, TITLES, Counts, regressions

BASELINE = Path(__file__).with_name("instructions.json")
RENEW = f"if that is meant, renew the baseline: in tests/, python -m perf.instructions perf/{BASELINE.name}"


@pytest.fixture(scope="module")
def counts() -> Counts:
    """One run of callgrind, some six seconds."""
    return instructions.count()


def test_no_packet_costs_more_instructions_than_the_baseline_says(counts: Counts) -> None:
    baseline = instructions.read(BASELINE)
    if counts.compiler != baseline.compiler:
        pytest.skip(f"the core is by {counts.compiler}, the baseline by {baseline.compiler}: {RENEW}")
    worse = regressions(counts.packets, baseline.packets)
    assert not worse, "\n".join([*worse, RENEW])


def test_everything_is_counted_and_an_established_packet_costs_less_than_a_new_session(
    counts: Counts,
) -> None:
    assert set(counts.packets) == set(TITLES)
    assert 100 < counts.packets["udp-out"] < counts.packets["udp-new"] < 10_000
    assert counts.packets["tcp-bulk-in"] < 65_000, "the sum is of words, not of bytes"


def test_counting_twice_gives_the_same(counts: Counts) -> None:
    again = instructions.count().packets
    assert again == pytest.approx(counts.packets, rel=0.005)


@pytest.mark.parametrize(
    ("ratio", "regressed"),
    [
        (1.0, False),
        (1 + MARGIN - 0.001, False),
        (1 + MARGIN + 0.001, True),
        (0.8, False),
        (LEAST - 0.01, True),
    ],
)
def test_the_margin_is_kept_to(ratio: float, regressed: bool) -> None:
    assert bool(regressions({"udp-out": 1000 * ratio}, {"udp-out": 1000})) == regressed


def test_a_count_without_its_baseline_is_no_silent_pass() -> None:
    assert regressions({"udp-out": 1.0}, {}) == ["udp-out: only in the counts"]
    assert regressions({}, {"udp-out": 1.0}) == ["udp-out: only in the baseline"]


def test_without_valgrind_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BenchError, match="apt-get install valgrind"):
        instructions.count()


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Counts("GCC", {"udp-out": 551.0})
    instructions.write(tmp_path / "baseline.json", written)
    assert instructions.read(tmp_path / "baseline.json") == written
