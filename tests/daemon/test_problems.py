"""Problems: begun, ended, and logged once."""

import pytest

from nfmasq.daemon.problems import Problems


def test_a_problem_stands_until_its_subject_reports_none_and_is_logged_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problems = Problems()
    with caplog.at_level("INFO", "nfmasq"):
        for _ in range(3):
            problems.report("address", "no address")
        problems.report("rules", "")
        assert problems.now() == {"address": "no address"}
        for _ in range(2):
            problems.report("address", "")
    assert problems.now() == {}
    assert caplog.messages == ["degraded: no address", "mended: no address"]
