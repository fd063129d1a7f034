"""The parts of the measures that need no network."""

import json
import subprocess
import sys

import pytest

from nfmasq.bench import bulk
from nfmasq.bench.pingpong import percentile
from nfmasq.bench.reading import BenchError


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.5, 50), (0.99, 99), (1, 100)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile(range(1, 101), share) == expected


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.99) == 7.0


def test_iperf3_reports_what_the_receiver_got() -> None:
    end = {"sum_sent": {"bits_per_second": 2.0}, "sum_received": {"bits_per_second": 1.0}}
    assert bulk.received(json.dumps({"end": end})) == 1.0


@pytest.mark.parametrize("said", ['{"error": "no route to host"}', "warning\nno route to host\n"])
def test_what_iperf3_complains_about_is_passed_on(said: str) -> None:
    with pytest.raises(BenchError, match="iperf3 failed: no route to host"):
        bulk.received(said)


def test_the_users_bench_needs_nothing_of_the_source_tree() -> None:
    program = "import nfmasq.cli.bench, sys; print({'perf', 'support', 'pytest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
